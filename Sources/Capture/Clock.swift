internal import Glibc

/// The one place that asks for the time of day.
package enum Clock {
    /// Seconds since 1970 and nanoseconds.
    package static var now: (seconds: Int64, nanoseconds: Int64) { time(CLOCK_REALTIME) }

    /// The same as files have it: what changes from now on has no earlier time, though it may have this one for some
    /// milliseconds more.
    static var ofFiles: (seconds: Int64, nanoseconds: Int64) { time(CLOCK_REALTIME_COARSE) }

    private static func time(_ clock: clockid_t) -> (seconds: Int64, nanoseconds: Int64) {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return (Int64(time.tv_sec), Int64(time.tv_nsec))
    }
}
