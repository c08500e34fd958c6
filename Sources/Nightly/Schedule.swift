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

    /// When the night begins.
    package struct Time: Hashable, Sendable {
        /// Hour and minute of the host's day.
        package var hour: Int, minute: Int
        /// Minutes by which it is varied, so that not all hosts push at once.
        package var randomDelay: Int

        /// A time.
        package init(hour: Int, minute: Int, randomDelay: Int) {
            self.hour = hour
            self.minute = minute
            self.randomDelay = randomDelay
        }

        /// The time that a timer or a file of cron says, nil when it says none as this version writes it.
        package init?(in text: String) {
            var time: (hour: Int, minute: Int)?
            randomDelay = 0
            for line in text.split(separator: "\n") {
                if line.hasPrefix("OnCalendar=*-*-* ") {
                    let parts = line.dropFirst("OnCalendar=*-*-* ".count).split(separator: ":").compactMap {
                        Int($0)
                    }
                    if parts.count == 3 { time = (parts[0], parts[1]) }
                } else if line.hasPrefix("RandomizedDelaySec="), line.hasSuffix("m") {
                    randomDelay = Int(line.dropFirst("RandomizedDelaySec=".count).dropLast()) ?? 0
                } else if let minute = Int(line.prefix { $0 != " " }) {
                    let words = line.split(separator: " ")
                    guard words.count > 5, let hour = Int(words[1]), words[2...4] == ["*", "*", "*"] else {
                        continue
                    }
                    time = (hour, minute)
                    guard words.count > 6, words[6] == "sleep" else { continue }
                    // sleep $(( NUMBER \\% SECONDS ));
                    let rest = line.firstRange(of: "\\% ").map {
                        line[$0.upperBound...].prefix { $0.isNumber }
                    }
                    randomDelay = (rest.flatMap { Int($0) } ?? 0) / 60
                }
            }
            guard let time, (0..<24).contains(time.hour), (0..<60).contains(time.minute) else { return nil }
            (hour, minute) = time
        }
    }

    /// Who runs it by a service or a file of cron, nil when that names nobody as this version writes it.
    package static func user(in text: String) -> String? {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if line.hasPrefix("User="), words.count == 1 { return String(line.dropFirst("User=".count)) }
            guard words.count > 6, Int(words[0]) != nil, Int(words[1]) != nil,
                words[2...4] == ["*", "*", "*"]
            else { continue }
            return String(words[5])
        }
        return nil
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
        /// When.
        package var time: Time
        /// The store.
        package var store: String
        /// Other directories that the night writes to.
        package var written: [String]
        /// Whether nights hold drills, which need namespaces of their own.
        package var holdsDrills: Bool

        /// A wish.
        package init(
            system: String, program: String, systemFile: String, user: String, time: Time, store: String,
            written: [String], holdsDrills: Bool = false
        ) {
            self.system = system
            self.program = program
            self.systemFile = systemFile
            self.user = user
            self.time = time
            self.store = store
            self.written = written
            self.holdsDrills = holdsDrills
        }
    }

    /// What runs it.
    package let kind: Kind
    /// Who runs it.
    package let user: String
    /// The files.
    package let files: [File]
    /// What makes them known to the host after they were written.
    package let commands: [[String]]
    /// What makes the host forget them before they are removed.
    package let removal: [[String]]

    /// The schedule for a wish; files go into `directory`, or where the host looks for them.
    package init(_ wish: Wish, kind: Kind, directory: FilePath? = nil) {
        self.kind = kind
        user = wish.user
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
        let places = [wish.store] + wish.written + (wish.holdsDrills ? ["/var/tmp"] : [])
        let written = places.map { "ReadWritePaths=-\(unitWord($0))\n" }.joined()
        // The kernel gives a sandbox a /proc of its own only where nothing of the service's is covered, and a restore sets
        // set-group-ID bits.
        let withoutDrills =
            wish.holdsDrills
            ? "# Drills run in namespaces of their own: RestrictNamespaces, ProtectKernelTunables, ProtectKernelLogs,\n"
                + "# ProtectHostname and RestrictSUIDSGID would not let them. What runs in them is held to its limits by control\n"
                + "# groups below the unit's own: one that is ended for its memory does not end the unit.\n"
                + "Delegate=memory cpu pids\nOOMPolicy=continue\n"
            : "ProtectKernelTunables=yes\nProtectKernelLogs=yes\nProtectHostname=yes\nRestrictNamespaces=yes\n"
                + "RestrictSUIDSGID=yes\nProtectControlGroups=yes\n"
        return """
            [Unit]
            Description=Nightly snapshot of the delivery system \(wish.system)
            Wants=network-online.target
            After=network-online.target
            # A store that is not mounted is no empty store.
            RequiresMountsFor=\(unitWord(wish.store))

            [Service]
            Type=oneshot
            User=\(wish.user)
            # 3 is a partial snapshot, 7 what the policy does not allow: the report went out, and the unit shows as failed.
            ExecStart=\(command)
            TimeoutStartSec=12h
            Nice=10
            IOSchedulingClass=idle
            UMask=0077
            # It reads everything and writes to few places. A command of the system file that needs more: systemctl edit.
            ProtectSystem=strict
            \(written)ProtectHome=read-only
            ProtectKernelModules=yes
            ProtectClock=yes
            PrivateDevices=yes
            RestrictRealtime=yes
            LockPersonality=yes
            SystemCallArchitectures=native
            RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
            SystemCallFilter=~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap
            SystemCallErrorNumber=EPERM
            CapabilityBoundingSet=~CAP_SYS_MODULE CAP_SYS_BOOT CAP_SYS_TIME CAP_SYS_RAWIO CAP_SYS_TTY_CONFIG
            CapabilityBoundingSet=~CAP_NET_ADMIN CAP_NET_RAW CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_AUDIT_CONTROL CAP_BPF
            \(withoutDrills)
            """
    }

    private static func timer(_ wish: Wish) -> String {
        """
        [Unit]
        Description=When the delivery system \(wish.system) is snapshotted

        [Timer]
        OnCalendar=*-*-* \(two(wish.time.hour)):\(two(wish.time.minute)):00
        RandomizedDelaySec=\(wish.time.randomDelay)m
        # A night that was slept through is made up for.
        Persistent=true

        [Install]
        WantedBy=timers.target

        """
    }

    private static func crontab(_ wish: Wish) -> String {
        let words = command(wish).map { shellWord($0) }.joined(separator: " ").replacing("%", with: "\\%")
        let delay =
            wish.time.randomDelay > 0
            ? "sleep $(( $(od -An -N2 -tu2 /dev/urandom) \\% \(wish.time.randomDelay * 60) )); " : ""
        return """
            # Written by 'understudy schedule install'. cron makes up for no night that was slept through.
            SHELL=/bin/sh
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
            \(wish.time.minute) \(wish.time.hour) * * * \(wish.user) \(delay)\(words)

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

    /// A word of a command as a shell takes it.
    package static func shellWord(_ text: String) -> String {
        let isPlain = text.allSatisfy { $0.isLetter || $0.isNumber || "/._-+@:=".contains($0) }
        return isPlain ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
