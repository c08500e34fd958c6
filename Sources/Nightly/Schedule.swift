package import SystemPackage

/// How a host is told to run the night: files to write and programs to run, as values.
package struct Schedule: Hashable, Sendable {
    /// What runs at a time of its own.
    package enum Kind: String, Hashable, Sendable {
        /// A systemd timer and its service.
        case systemd
        /// A file for cron.
        case cron
    }

    /// A file and what is in it.
    package struct File: Hashable, Sendable {
        /// Where it is.
        package var path: FilePath
        /// What is in it.
        package var text: String
    }

    /// What is known of the host and wanted from it.
    package struct Wish: Hashable, Sendable {
        /// The delivery system.
        package var system: String
        /// The program, as an absolute path.
        package var program: String
        /// The system file, as an absolute path.
        package var systemFile: String
        /// The user that runs it.
        package var user: String
        /// When: hour and minute of the host's day.
        package var hour: Int, minute: Int
        /// Minutes by which the time is varied, so that not all hosts push at once.
        package var randomDelay: Int
        /// Directories that the night writes to.
        package var written: [String]
        /// Whether nights hold drills, which need namespaces of their own.
        package var holdsDrills: Bool

        /// A wish.
        package init(
            system: String, program: String, systemFile: String, user: String, hour: Int, minute: Int,
            randomDelay: Int, written: [String], holdsDrills: Bool = false
        ) {
            self.system = system
            self.program = program
            self.systemFile = systemFile
            self.user = user
            self.hour = hour
            self.minute = minute
            self.randomDelay = randomDelay
            self.written = written
            self.holdsDrills = holdsDrills
        }
    }

    /// What runs it.
    package let kind: Kind
    /// The files.
    package let files: [File]
    /// What makes them known to the host after they were written.
    package let commands: [[String]]
    /// What makes the host forget them before they are removed.
    package let removal: [[String]]

    /// The schedule for a wish; files go into `directory`, or where the host looks for them.
    package init(_ wish: Wish, kind: Kind, directory: FilePath? = nil) {
        self.kind = kind
        let name = "understudy-\(wish.system)"
        switch kind {
        case .systemd:
            let place = directory ?? "/etc/systemd/system"
            files = [
                File(path: place.appending("\(name).service"), text: Self.service(wish)),
                File(path: place.appending("\(name).timer"), text: Self.timer(wish)),
            ]
            // Files in another directory are for somebody else to install.
            commands =
                directory == nil
                ? [["systemctl", "daemon-reload"], ["systemctl", "enable", "--now", "\(name).timer"]] : []
            removal = directory == nil ? [["systemctl", "disable", "--now", "\(name).timer"]] : []
        case .cron:
            // cron reads no file whose name has a dot.
            let file = name.replacing(".", with: "_")
            files = [File(path: (directory ?? "/etc/cron.d").appending(file), text: Self.crontab(wish))]
            commands = []
            removal = []
        }
    }

    private static func command(_ wish: Wish) -> [String] {
        [wish.program, "nightly", "--quiet", "--system", wish.systemFile]
    }

    private static func service(_ wish: Wish) -> String {
        let command = command(wish).map { unitWord($0) }.joined(separator: " ")
        // Where a drill restores to.
        let places = wish.written + (wish.holdsDrills ? ["/var/tmp"] : [])
        let written = places.map { "ReadWritePaths=-\(unitWord($0))\n" }.joined()
        // The kernel gives a sandbox a /proc of its own only where nothing of the service's is covered, and a restore sets
        // set-group-ID bits.
        let withoutDrills =
            wish.holdsDrills
            ? "# Drills run in namespaces of their own: RestrictNamespaces, ProtectKernelTunables, ProtectKernelLogs and\n"
                + "# RestrictSUIDSGID would not let them.\n"
            : "ProtectKernelTunables=yes\nProtectKernelLogs=yes\nRestrictNamespaces=yes\nRestrictSUIDSGID=yes\n"
        return """
            [Unit]
            Description=Nightly snapshot of the delivery system \(wish.system)
            Wants=network-online.target
            After=network-online.target

            [Service]
            Type=oneshot
            User=\(wish.user)
            ExecStart=\(command)
            # 3 is a partial snapshot, 7 what the policy does not allow: the report went out, and the unit shows as failed.
            TimeoutStartSec=12h
            Nice=10
            IOSchedulingClass=idle
            UMask=0077
            # It reads everything and writes to few places. A command of the system file that needs more: systemctl edit.
            ProtectSystem=strict
            \(written)ProtectHome=read-only
            ProtectKernelModules=yes
            ProtectControlGroups=yes
            ProtectClock=yes
            PrivateDevices=yes
            RestrictRealtime=yes
            LockPersonality=yes
            SystemCallArchitectures=native
            RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
            \(withoutDrills)
            """
    }

    private static func timer(_ wish: Wish) -> String {
        """
        [Unit]
        Description=When the delivery system \(wish.system) is snapshotted

        [Timer]
        OnCalendar=*-*-* \(two(wish.hour)):\(two(wish.minute)):00
        RandomizedDelaySec=\(wish.randomDelay)m
        # A night that was slept through is made up for.
        Persistent=true

        [Install]
        WantedBy=timers.target

        """
    }

    private static func crontab(_ wish: Wish) -> String {
        let words = command(wish).map { shellWord($0) }.joined(separator: " ").replacing("%", with: "\\%")
        let delay =
            wish.randomDelay > 0
            ? "sleep $(( $(od -An -N2 -tu2 /dev/urandom) \\% \(wish.randomDelay * 60) )); " : ""
        return """
            # Written by 'understudy schedule install'. cron makes up for no night that was slept through.
            SHELL=/bin/sh
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
            \(wish.minute) \(wish.hour) * * * \(wish.user) \(delay)\(words)

            """
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// A word as systemd reads it: in quotes, with its own signs doubled.
    private static func unitWord(_ text: String) -> String {
        let escaped = text.replacing("%", with: "%%").replacing("\\", with: "\\\\").replacing(
            "\"", with: "\\\""
        )
        .replacing("$", with: "$$")
        return text.contains(where: { " \t'\"\\;".contains($0) }) ? "\"\(escaped)\"" : escaped
    }

    private static func shellWord(_ text: String) -> String {
        let isPlain = text.allSatisfy { $0.isLetter || $0.isNumber || "/._-+@:=".contains($0) }
        return isPlain ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
