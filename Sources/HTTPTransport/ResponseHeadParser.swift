/// Parses the head of a response from the lines that libcurl delivers one by one. Interim responses (1xx) and trailers are
/// dropped.
struct ResponseHeadParser {
    enum Action: Equatable {
        case more
        /// The head of the final response is complete; the body comes next.
        case complete
        case tooLarge
    }

    private(set) var status = 0
    private(set) var headers = HTTPHeaders()
    private var complete = false
    private var size = 0

    /// The limit for a head, in bytes. The default of Go's server is 1 MiB; API servers send less than a tenth of that.
    static let limit = 256 * 1024

    /// Takes one line including its line end.
    mutating func line(_ bytes: UnsafeRawBufferPointer) -> Action {
        guard !complete else { return .more }
        size += bytes.count
        if size > Self.limit { return .tooLarge }
        var text = bytes
        while let last = text.last, last == 0x0A || last == 0x0D {
            text = UnsafeRawBufferPointer(rebasing: text.dropLast())
        }
        if text.isEmpty {
            guard status >= 200 || status == 101 else { return .more }
            complete = true
            return .complete
        }
        let line = String(decoding: text, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            let words = line.split(separator: " ", maxSplits: 2)
            status = words.count > 1 ? Int(words[1]) ?? 0 : 0
            headers = HTTPHeaders()
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...]
            headers.add(String(line[..<colon]), Self.trim(value))
        }
        return .more
    }

    private static func trim(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}
