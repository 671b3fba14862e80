@echo off
rem Runs the tests: all, "golden", or one project by name.
setlocal
cd /d "%~dp0"
if "%~1"=="" goto all
if "%~1"=="golden" goto golden
dotnet build "tests\Fleet.%~1.Tests" -c Release -v quiet -clp:ErrorsOnly || exit /b 1
dotnet "artifacts\bin\Fleet.%~1.Tests\release\Fleet.%~1.Tests.dll"
exit /b %errorlevel%
:golden
dotnet build tests\Fleet.Diffusion.Tests -c Release -v quiet -clp:ErrorsOnly || exit /b 1
dotnet artifacts\bin\Fleet.Diffusion.Tests\release\Fleet.Diffusion.Tests.dll --filter-namespace Fleet.Diffusion.Tests.Golden
set status=%errorlevel%
type artifacts\golden-summary.txt
exit /b %status%
:all
dotnet build Fleet.sln -c Release -v quiet -clp:ErrorsOnly || exit /b 1
dotnet test --solution Fleet.sln -c Release --no-build
exit /b %errorlevel%
