internal import Glibc

/// How many threads a walk uses: one for each processor, but two at least, so that reading and hashing overlap.
package let usualThreads = max(2, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
