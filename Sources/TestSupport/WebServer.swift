internal import FileTree
internal import Programs
package import SystemPackage

/// A web server on loopback that lives as long as its scope.
package struct WebServer: Sendable {
    /// What it answers.
    package enum Answers: Sendable {
        /// The same status and text to every request; what is posted is kept.
        case always(Int, String)
        /// The files below a directory, and 404 for what is not there.
        case files(FilePath)
        /// What `Handler`, a class in Python that works in a directory, makes of each request.
        ///
        /// It derives from `Base`, which has `answer(status)` and `posted()`, the bytes that came with the request.
        case handler(String, in: FilePath)
    }

    /// Where it listens.
    package let port: UInt16
    /// Its address, with a slash at its end.
    package var url: String { "http://127.0.0.1:\(port)/" }

    /// Holds `port` as long as it listens, each thing that was posted, and `end` once it is to end.
    private let directory: FilePath

    private static let beginning = """
        import http.server, itertools, os, sys
        parent, place = os.getppid(), sys.argv[1]
        class Base(http.server.BaseHTTPRequestHandler):
            def posted(self): return self.rfile.read(int(self.headers.get('Content-Length') or 0))
            def answer(self, status, body=b''):
                self.send_response(status); self.send_header('Content-Length', str(len(body))); self.end_headers()
                self.wfile.write(body)
            def log_message(self, *words): pass

        """
    private static let always = """
        numbers = itertools.count(1)
        class Handler(Base):
            def do_GET(self): self.answer(int(sys.argv[2]), sys.argv[3].encode())
            def do_POST(self):
                body = self.posted()
                with open('%s/posted-%d' % (place, next(numbers)), 'wb') as f: f.write(body)
                self.do_GET()
        """
    private static let files = """
        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *words): pass
        """
    // It ends with whoever started it, too: a test run may be killed.
    private static let ending = """

        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        server.timeout = 0.05
        with open(place + '/port.new', 'w') as f: f.write(str(server.server_port))
        os.rename(place + '/port.new', place + '/port')
        while os.getppid() == parent and not os.path.exists(place + '/end'): server.handle_request()
        server.server_close()
        os.remove(place + '/port')
        """

    /// Runs `body` with a server that listens, and ends the server afterwards.
    package static func with<Result>(
        _ answers: Answers, _ body: (WebServer) async throws -> Result
    ) async throws -> Result {
        try await withTemporaryDirectory { directory in
            let program = program(answers, directory)
            async let ended = program.runSuccessfully()
            do {
                let server = try await WebServer(directory)
                let result = try await body(server)
                try server.askToEnd()
                _ = try await ended
                return result
            } catch {
                // What the test found is what to tell; leaving the scope ends the server whatever becomes of this.
                try? Files.replace(directory.appending("end"), with: [])
                throw error
            }
        }
    }

    private static func program(_ answers: Answers, _ place: FilePath) -> Program {
        func python(_ code: String, _ words: [String] = [], in directory: FilePath) -> Program {
            Program(
                "/usr/bin/python3", ["-c", beginning + code + ending, place.string] + words,
                directory: directory, limit: .seconds(1800))
        }
        return switch answers {
        case .always(let status, let body): python(always, ["\(status)", body], in: place)
        case .files(let served): python(files, in: served)
        case .handler(let code, in: let workplace): python(code, in: workplace)
        }
    }

    private init(_ directory: FilePath) async throws {
        self.directory = directory
        let file = directory.appending("port")
        try await wait("the web server") { try Files.exists(file) }
        let text = String(decoding: try Files.read(file), as: UTF8.self)
        guard let port = UInt16(text) else { throw FixtureFailure("\(file) holds '\(text)' and no port") }
        self.port = port
    }

    private func askToEnd() throws {
        try Files.replace(directory.appending("end"), with: [])
    }

    /// Ends it before its scope: nobody listens any more.
    package func end() async throws {
        try askToEnd()
        try await wait("the end of the web server") { try !Files.exists(directory.appending("port")) }
    }

    /// What was posted so far, in its order.
    package func posted() throws -> [String] {
        var texts: [String] = []
        while let bytes = try Files.readIfPresent(directory.appending("posted-\(texts.count + 1)")) {
            texts.append(String(decoding: bytes, as: UTF8.self))
        }
        return texts
    }
}
