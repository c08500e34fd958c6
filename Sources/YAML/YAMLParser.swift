internal import Clibyaml

/// Reads YAML text step by step, with libyaml.
///
/// What an alias stands for is not looked up, and nothing is built: depth and repetition are up to who asks for the steps.
@safe package final class YAMLParser {
    private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    /// libyaml reads from it until the end.
    private let text: UnsafeMutableBufferPointer<UInt8>

    /// A parser at the beginning of a text.
    package init(_ text: String) {
        let bytes = Array(text.utf8)
        unsafe self.text = .allocate(capacity: bytes.count)
        _ = unsafe self.text.initialize(fromContentsOf: bytes)
        // It can fail only for want of memory, of which nothing in Swift is told either.
        let isReady = unsafe yaml_parser_initialize(parser) == 1
        precondition(isReady, "out of memory")
        unsafe yaml_parser_set_input_string(parser, self.text.baseAddress, bytes.count)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe text.deallocate()
    }

    /// The next step; after the last one it is ``YAMLEvent/Kind/end`` again.
    package func next() throws(YAMLError) -> YAMLEvent {
        while true {
            var event = unsafe yaml_event_t()
            guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw failure() }
            defer { unsafe yaml_event_delete(&event) }
            if let kind = unsafe kind(of: event) {
                return unsafe YAMLEvent(
                    kind: kind, hasAnchor: hasAnchor(event), position: position(event.start_mark))
            }
        }
    }

    /// What an event is, nil for what says nothing of the text.
    private func kind(of event: yaml_event_t) -> YAMLEvent.Kind? {
        switch unsafe event.type {
        case YAML_DOCUMENT_START_EVENT: return .documentStart
        case YAML_DOCUMENT_END_EVENT: return .documentEnd
        case YAML_SEQUENCE_START_EVENT: return .listStart
        case YAML_SEQUENCE_END_EVENT: return .listEnd
        case YAML_MAPPING_START_EVENT: return .mapStart
        case YAML_MAPPING_END_EVENT: return .mapEnd
        case YAML_ALIAS_EVENT: return .alias
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return unsafe .scalar(
                String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
        case YAML_STREAM_START_EVENT: return nil
        // After the end libyaml has events of no type.
        default: return .end
        }
    }

    private func hasAnchor(_ event: yaml_event_t) -> Bool {
        switch unsafe event.type {
        case YAML_SCALAR_EVENT: unsafe event.data.scalar.anchor != nil
        case YAML_SEQUENCE_START_EVENT: unsafe event.data.sequence_start.anchor != nil
        case YAML_MAPPING_START_EVENT: unsafe event.data.mapping_start.anchor != nil
        default: false
        }
    }

    private func failure() -> YAMLError {
        func words(_ text: UnsafePointer<CChar>?) -> String? {
            unsafe text.map { unsafe String(cString: $0) }
        }
        let state = unsafe parser.pointee
        let problem = unsafe words(state.problem) ?? "out of memory"
        guard unsafe state.error != YAML_READER_ERROR else {
            // It has an offset in bytes instead of a line.
            let before = unsafe String(decoding: text.prefix(state.problem_offset), as: UTF8.self)
            return YAMLError(problem, at: Position(after: before))
        }
        return unsafe YAMLError(
            [words(state.context), problem].compactMap(\.self).joined(separator: ": "),
            at: position(state.problem_mark))
    }

    private func position(_ mark: yaml_mark_t) -> Position {
        Position(line: mark.line + 1, column: mark.column + 1)
    }
}
