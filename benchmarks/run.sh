#!/usr/bin/env bash
# Measures Fleet on this machine: benchmarks/run.sh [step|tax|load|share|soak|rollouts], all of them without an argument.
# ROLLOUTS is the number of simulated rollouts for each row, 1000 by default.
# Synthetic checkpoints of the real sizes are written to artifacts/benchmarks once (6 GB).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
data="$PWD/artifacts/benchmarks"
mkdir -p "$data"
export FLEET_HOME="$data/home" DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

synth() { # name architecture dtype
  [[ -f "$data/$1/vae/config.json" ]] || ./fleet models synth "$2" -o "$data/$1" --dtype "$3" --quiet
}
measure() { dotnet artifacts/bin/Fleet.Benchmarks/release/Fleet.Benchmarks.dll "$@"; }

dotnet build benchmarks/Fleet.Benchmarks -c Release -v quiet -clp:ErrorsOnly
for what in "${@:-step tax load share soak rollouts}"; do
  for name in $what; do
    echo "== $name"
    case "$name" in
      step) synth sd15 sd15 float32; measure step --checkpoint "$data/sd15" ;;
      tax) synth small small float32; rm -rf "$FLEET_HOME"; measure tax --checkpoint "$data/small" ;;
      load)
        synth sd15 sd15 float32
        synth sd15-fp16 sd15 float16
        echo "float32 on disk, float32 in memory (mapped)"; measure load --checkpoint "$data/sd15"
        echo "float16 on disk, float32 in memory (converted)"; measure load --checkpoint "$data/sd15-fp16"
        ;;
      share)
        synth sd15 sd15 float32
        synth sd15-fp16 sd15 float16
        rm -rf "$FLEET_HOME"; echo "float32 on disk, float32 in memory (mapped)"; measure share --checkpoint "$data/sd15"
        rm -rf "$FLEET_HOME"; echo "float16 on disk, float32 in memory (converted)"; measure share --checkpoint "$data/sd15-fp16"
        ;;
      soak) rm -rf "$FLEET_HOME"; measure soak ;;
      rollouts) measure rollouts --rollouts "${ROLLOUTS:-1000}" ;;
      *) echo "no benchmark '$name'; there are step, tax, load, share, soak and rollouts" >&2; exit 64 ;;
    esac
  done
done
