/// The head of a server's response, read as strictly as a request.
struct ResponseHead: Sendable, Hashable {
    let status: Int
    let phrase: [UInt8]
    let isHTTP10: Bool
    let fields: HeaderFields

    init(lines: [ArraySlice<UInt8>]) throws(HTTPSyntaxError) {
        let line = lines.first ?? []
        let words = line.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count >= 2 else { throw HTTPSyntaxError("a malformed status line") }
        switch String(decoding: words[0], as: UTF8.self) {
        case "HTTP/1.1": isHTTP10 = false
        case "HTTP/1.0": isHTTP10 = true
        default: throw HTTPSyntaxError("a malformed status line")
        }
        guard words[1].count == 3, words[1].allSatisfy({ (0x30...0x39).contains($0) }), let status = Int(String(decoding: words[1], as: UTF8.self)),
            (100...999).contains(status)
        else { throw HTTPSyntaxError("a malformed status") }
        self.status = status
        phrase = words.count == 3 ? Array(words[2]) : []
        guard phrase.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else { throw HTTPSyntaxError("a malformed status line") }
        fields = try HeaderFields(lines: lines.dropFirst())
        guard fields.words("connection").allSatisfy({ $0 != "content-length" && $0 != "transfer-encoding" }) else {
            throw HTTPSyntaxError("a Connection header that names fields which a message needs")
        }
    }

    /// Another response to the same request follows.
    var isInterim: Bool { (100...199).contains(status) }

    func framing(requestMethod method: String) throws(HTTPSyntaxError) -> BodyFraming {
        let declared = try BodyFraming(fields, isHTTP10: isHTTP10)
        // These have no body, whatever their fields say.
        if method == "HEAD" || status == 204 || status == 304 || isInterim { return .none }
        return declared ?? .untilClose
    }
}
