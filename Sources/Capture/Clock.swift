internal import Glibc

/// The one place that asks for the time of day.
package enum Clock {
    /// Seconds since 1970 and nanoseconds.
    package static var now: (seconds: Int64, nanoseconds: Int64) {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return (Int64(time.tv_sec), Int64(time.tv_nsec))
    }
}
