@echo off
rem Builds (when needed) and runs the fleet command line.
setlocal
set DOTNET_CLI_TELEMETRY_OPTOUT=1
set DOTNET_NOLOGO=1
dotnet build "%~dp0tools\Fleet.Cli\Fleet.Cli.csproj" -c Release -v quiet -clp:ErrorsOnly >"%TEMP%\fleet.build.log" 2>&1
if errorlevel 1 (
  type "%TEMP%\fleet.build.log" 1>&2
  exit /b 70
)
dotnet "%~dp0artifacts\bin\Fleet.Cli\release\Fleet.Cli.dll" %*
exit /b %errorlevel%
