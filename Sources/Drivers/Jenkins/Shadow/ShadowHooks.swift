internal import FileTree
internal import FoundationEssentials
internal import SystemPackage

/// Scripts that a shadow's Jenkins runs at its start, and what they report.
///
/// The REST interface shows neither plugins that failed nor data that could not be read, and a boot that failed answers like
/// one that goes on; so Jenkins itself writes them into the directory of the socket. The scripts change nothing.
enum ShadowHooks {
    /// The socket in ``ShadowCopy/socketPlace``.
    static let socket = "http.sock"
    /// What the first script writes, when everything is loaded.
    static let report = "report.json"
    /// What the second writes when the boot has failed.
    static let failure = "boot-failure.txt"
    /// Names that Java finds the addresses of: no other is asked for anywhere.
    static let hosts = ".understudy-hosts"

    /// What Jenkins says of itself.
    struct Report: Codable {
        struct Named: Codable {
            var name: String
            var reason: String
        }

        struct Job: Codable {
            var name: String
            var buildable: Bool
            var parameterized: Bool
            var builds: Int
        }

        /// A configuration, written once more into a file beside the report.
        struct Written: Codable {
            var file: String
            var copy: String
        }

        var version: String
        var failed: [Named]
        var unreadable: [Named]
        var jobs: [Job]
        var nodes: [String]
        var views: [String]
        var written: [Written]
        /// Configurations that could not be written once more.
        var errors: [Named]
    }

    /// The report of a shadow, nil before there is one.
    static func report(in directory: FilePath) throws -> Report? {
        guard let bytes = try ShadowCopy.contents(report, below: directory) else { return nil }
        do {
            return try JSONDecoder().decode(Report.self, from: Data(bytes))
        } catch {
            throw DriverFailure(
                "the report that Jenkins wrote in the shadow cannot be read: \(error)",
                hint: "look whether a script or plugin of the home writes there")
        }
    }

    /// Puts the scripts into a home, behind those that are there.
    static func write(to home: FilePath) throws {
        for (directory, script) in [("init.groovy.d", initScript), ("boot-failure.groovy.d", failureScript)] {
            let place = home.appending(directory)
            // A link would lead out of the copy.
            if try Files.status(place)?.kind != .directory {
                try Files.remove(place)
                try Files.makeDirectory(place)
            }
            try Files.replaceWithoutSync(
                place.appending("zzz-understudy.groovy"), with: Array(script.utf8))
        }
        try Files.replaceWithoutSync(home.appending(hosts), with: Array("127.0.0.1 localhost\n".utf8))
    }

    private static let failureScript = """
        def words = []
        for (def e = exception; e != null; e = e.cause) { words << e.toString() }
        new File('\(ShadowCopy.socketPlace)/\(failure)').setText(words.join(': '), 'UTF-8')

        """

    private static let initScript = """
        import groovy.json.JsonOutput
        import hudson.model.*
        import jenkins.model.Jenkins

        def place = new File('\(ShadowCopy.socketPlace)')
        def jenkins = Jenkins.get()
        def report = [version: Jenkins.VERSION, failed: [], unreadable: [], jobs: [], nodes: [], views: [], written: [],
            errors: []]
        jenkins.pluginManager.failedPlugins.each {
            report.failed << [name: it.name, reason: String.valueOf(it.cause?.message)]
        }
        // Entries go when an object is saved, so that they are read before anything else.
        jenkins.getAdministrativeMonitor('OldData')?.data?.each { object, range ->
            if (range.extra) {
                report.unreadable << [name: object instanceof Item ? object.fullName : object.class.name,
                    reason: String.valueOf(range.extra)]
            }
        }
        jenkins.getAllItems(Item).each {
            def isJob = it instanceof Job
            report.jobs << [name: it.fullName, buildable: isJob && it.buildable,
                parameterized: isJob && it.getProperty(ParametersDefinitionProperty) != null,
                builds: isJob ? it.nextBuildNumber - 1 : 0]
        }
        jenkins.nodes.each { report.nodes << it.nodeName }
        jenkins.views.each { report.views << it.viewName }

        def home = jenkins.rootDir.toPath()
        def write = { stream, object, file ->
            if (!file.isFile()) return
            def name = home.relativize(file.toPath()).toString()
            def copy = 'written-' + report.written.size() + '.xml'
            try {
                new File(place, copy).withOutputStream { stream.toXMLUTF8(object, it) }
                report.written << [file: name, copy: copy]
            } catch (Throwable e) {
                report.errors << [name: name, reason: e.toString()]
            }
        }
        jenkins.getAllItems(AbstractItem).each { write(Items.XSTREAM2, it, it.configFile.file) }
        write(Jenkins.XSTREAM2, jenkins, new File(jenkins.rootDir, 'config.xml'))
        jenkins.nodes.each {
            write(Jenkins.XSTREAM2, it, new File(jenkins.rootDir, 'nodes/' + it.nodeName + '/config.xml'))
        }
        jenkins.getExtensionList(Descriptor).each { write(Jenkins.XSTREAM2, it, it.configFile.file) }

        def temporary = new File(place, 'report.tmp')
        temporary.setText(JsonOutput.toJson(report), 'UTF-8')
        temporary.renameTo(new File(place, '\(report)'))

        """
}
