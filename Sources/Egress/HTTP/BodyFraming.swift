/// How the end of a body is known (RFC 9112, section 6.3).
enum BodyFraming: Sendable, Hashable {
    case none
    case length(Int)
    case chunked
    /// Of responses only.
    case untilClose

    /// The framing that the fields give; nil when they give none. Anything that two readers could understand differently is refused.
    init?(_ fields: HeaderFields, isHTTP10: Bool) throws(HTTPSyntaxError) {
        let lengths = fields.all("content-length")
        let encodings = fields.all("transfer-encoding")
        if let encoding = encodings.first {
            guard lengths.isEmpty else { throw HTTPSyntaxError("both Content-Length and Transfer-Encoding") }
            guard encodings.count == 1, encoding.text.lowercased() == "chunked" else {
                throw HTTPSyntaxError("a Transfer-Encoding other than chunked", status: 501)
            }
            guard !isHTTP10 else { throw HTTPSyntaxError("Transfer-Encoding in HTTP/1.0") }
            self = .chunked
            return
        }
        guard let length = lengths.first else { return nil }
        guard lengths.count == 1 else { throw HTTPSyntaxError("more than one Content-Length") }
        guard (1...15).contains(length.value.count), length.value.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int(length.text) else {
            throw HTTPSyntaxError("a Content-Length that is no number")
        }
        self = count == 0 ? .none : .length(count)
    }
}

/// Follows a body and finds its end. The bytes are passed on as they are.
struct BodyScanner {
    private enum State {
        case remaining(Int)
        case chunks(ChunkScanner)
        case untilClose
        case complete
    }

    private var state: State

    init(_ framing: BodyFraming) {
        switch framing {
        case .none: state = .complete
        case .length(let count): state = .remaining(count)
        case .chunked: state = .chunks(ChunkScanner())
        case .untilClose: state = .untilClose
        }
    }

    var isComplete: Bool {
        if case .complete = state { return true }
        return false
    }

    /// The body ends when the connection does.
    var endsAtClose: Bool {
        if case .untilClose = state { return true }
        return false
    }

    /// - Returns: how many of the bytes belong to the body; fewer than all only when it is complete.
    mutating func take(_ bytes: UnsafeRawBufferPointer) throws(HTTPSyntaxError) -> Int {
        switch state {
        case .complete: return 0
        case .untilClose: return bytes.count
        case .remaining(let count):
            let taken = min(count, bytes.count)
            state = taken == count ? .complete : .remaining(count - taken)
            return taken
        case .chunks(var scanner):
            let taken = try scanner.take(bytes)
            state = scanner.isComplete ? .complete : .chunks(scanner)
            return taken
        }
    }

    mutating func take(_ bytes: ArraySlice<UInt8>) throws(HTTPSyntaxError) -> Int {
        // `withUnsafeBytes` does not pass on the type of the error.
        let result = bytes.withUnsafeBytes { buffer in Result { () throws(HTTPSyntaxError) in try self.take(buffer) } }
        return try result.get()
    }
}
