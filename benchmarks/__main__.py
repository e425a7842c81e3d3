"""The commands of the benchmarks; each has a --help with examples.

Commands:
  python -m benchmarks.run --method algcn      train and evaluate methods and baselines
  python -m benchmarks.ablate --method algcn   change one part of a method at a time
  python -m benchmarks.regimes                 when a label graph helps: few items, missing and unseen labels
  python -m benchmarks.bits                    mAP against the length of binary codes
  python -m benchmarks.tuning                  tune every method with the same number of random trials
  python -m benchmarks.speed                   speed of the library against plain baselines
  python -m benchmarks.scale                   time and memory of the commands for a million items
  python -m benchmarks.stores                  speed, memory and safety of LanceDB and Milvus under a searcher
  python -m benchmarks.synthetic               write synthetic data sets of any size
  python -m benchmarks.fuzz                    damaged files, two writers at one place, interrupted commands

benchmarks/README.md describes what is measured, and how.
"""

if __name__ == "__main__":
    print((__doc__ or "").strip())
