import CYAML

/// A position in the input; both count from 1.
struct YAMLMark {
    var line: Int
    var column: Int

    init(_ mark: yaml_mark_t) {
        line = Int(mark.line) + 1
        column = Int(mark.column) + 1
    }

    func error(_ message: String) -> YAMLError {
        YAMLError(message: message, line: line, column: column)
    }
}

/// One event of libyaml's parser, copied out of C memory.
struct YAMLEvent {
    enum Content {
        case streamEnd
        case documentStart
        case documentEnd
        case alias(String)
        case scalar(text: String, tag: String?, isPlain: Bool, anchor: String?)
        case sequenceStart(tag: String?, anchor: String?)
        case sequenceEnd
        case mappingStart(tag: String?, anchor: String?)
        case mappingEnd
    }

    var content: Content
    var mark: YAMLMark
}

/// libyaml's parser.
///
/// A class, because the C parser holds pointers into itself and must not be moved or copied.
final class YAMLEvents {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeBufferPointer<UInt8>
    private let separators: YAMLSeparators
    private var ended = false

    /// - Parameters:
    ///   - input: must stay valid until the last event is read.
    ///   - separators: the characters that were replaced in the input (see `YAMLSeparators`).
    init(_ input: UnsafeBufferPointer<UInt8>, separators: YAMLSeparators) throws(YAMLError) {
        self.input = input
        self.separators = separators
        parser = .allocate(capacity: 1)
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            throw YAMLError(message: "out of memory", line: 1, column: 1)
        }
        // An empty buffer has no base address, and libyaml requires one.
        if let base = input.baseAddress, !input.isEmpty {
            yaml_parser_set_input_string(parser, base, input.count)
        } else {
            ended = true
        }
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    /// The next event. After the end of the stream it is always `streamEnd`.
    func next() throws(YAMLError) -> YAMLEvent {
        while !ended {
            var event = yaml_event_t()
            guard yaml_parser_parse(parser, &event) == 1 else {
                ended = true
                throw failure()
            }
            defer { yaml_event_delete(&event) }
            if let content = content(of: event) {
                if case .streamEnd = content { ended = true }
                return YAMLEvent(content: content, mark: YAMLMark(event.start_mark))
            }
        }
        return YAMLEvent(content: .streamEnd, mark: YAMLMark(parser.pointee.mark))
    }

    private func content(of event: yaml_event_t) -> YAMLEvent.Content? {
        switch event.type {
        case YAML_STREAM_END_EVENT: return .streamEnd
        case YAML_DOCUMENT_START_EVENT: return .documentStart
        case YAML_DOCUMENT_END_EVENT: return .documentEnd
        case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
        case YAML_MAPPING_END_EVENT: return .mappingEnd
        case YAML_ALIAS_EVENT:
            return .alias(text(event.data.alias.anchor) ?? "")
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return .scalar(
                text: separators.shown(in: String(decoding: bytes, as: UTF8.self)), tag: text(scalar.tag),
                isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE, anchor: text(scalar.anchor))
        case YAML_SEQUENCE_START_EVENT:
            let start = event.data.sequence_start
            return .sequenceStart(tag: text(start.tag), anchor: text(start.anchor))
        case YAML_MAPPING_START_EVENT:
            let start = event.data.mapping_start
            return .mappingStart(tag: text(start.tag), anchor: text(start.anchor))
        default: return nil
        }
    }

    private func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }

    private func failure() -> YAMLError {
        let state = parser.pointee
        var message = state.problem.map { String(cString: $0) } ?? "not YAML"
        if let context = state.context { message += " (\(String(cString: context)))" }
        // libyaml reports encoding errors with an offset, not a line.
        if state.error == YAML_READER_ERROR {
            let before = input.prefix(Int(state.problem_offset))
            let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
            return YAMLError(
                message: message, line: before.count { $0 == UInt8(ascii: "\n") } + 1, column: before.count - lineStart + 1)
        }
        return YAMLMark(state.problem_mark).error(message)
    }
}
