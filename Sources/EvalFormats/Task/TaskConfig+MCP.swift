import EvalModel
import TOML

/// `[[environment.mcp_servers]]`.
extension TaskConfigParser {
    mutating func mcpServer(_ reader: inout TableReader) throws(FormatProblem) -> MCPServer {
        var server = MCPServer(name: try reader.requiredString("name"))
        if let transport = try reader.string("transport") {
            // The older name.
            guard let known = MCPServer.Transport(rawValue: transport == "http" ? "streamable-http" : transport) else {
                throw reader.problem("transport", "must be \"stdio\", \"sse\" or \"streamable-http\", not \"\(transport)\"")
            }
            server.transport = known
        }
        server.url = try reader.nonEmptyString("url")
        server.command = try reader.nonEmptyString("command")
        server.arguments = try reader.strings("args") ?? []
        server.headers = try reader.stringTable("headers") ?? [:]
        for (name, value) in server.headers.sorted(by: { $0.key < $1.key }) {
            if let problem = MCPHeader.problem(name: name, value: value) { throw reader.problem("headers", "\(problem): header \"\(name)\"") }
        }
        if server.transport == .stdio {
            guard server.command != nil else { throw reader.problem("command", "is required for the transport \"stdio\"") }
            guard server.headers.isEmpty else { throw reader.problem("headers", "must not be given for the transport \"stdio\"") }
        } else if server.url == nil {
            throw reader.problem("url", "is required for the transport \"\(server.transport.rawValue)\"")
        }
        warn(reader)
        return server
    }
}

/// A header for an MCP server. Task files are public, so a header with a credential may only name the variable that holds it. Source of the
/// rules: Harbor's `validate_headers` and `has_literal_header_credential`.
enum MCPHeader {
    /// Why the header is refused; nil when it is not.
    static func problem(name: String, value: String) -> String? {
        guard !name.isEmpty, name.utf8.allSatisfy(isNameByte) else { return "must have names of HTTP headers" }
        guard !value.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D }) else { return "must not contain line breaks" }
        let template = VariableTemplate(value)
        // `${` that begins no variable, and one within a default.
        for part in template.parts {
            switch part {
            case .text(let text): if text.contains("${") { return "must have variables only as ${VAR} and ${VAR:-default}" }
            case .variable(_, let fallback): if fallback?.contains("${") == true { return "must not have a variable within a default" }
            }
        }
        let isSecret = isSensitive(name) || ["cookie", "set-cookie"].contains(name.lowercased())
        for case .variable(let variable, let fallback?) in template.parts where !fallback.isEmpty && (isSecret || isSensitive(variable)) {
            return "must take a credential from ${VAR} without a default"
        }
        if isSecret, !value.allSatisfy(\.isWhitespace), !isOnlyVariables(template) {
            return "must take its credential from a variable, such as \"Bearer ${TOKEN}\""
        }
        return nil
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || "!#$%&'*+.^_`|~-".utf8.contains(byte)
    }

    private static func isSensitive(_ name: String) -> Bool {
        let upper = name.uppercased()
        return ["KEY", "SECRET", "PASSWORD", "CREDENTIAL", "AUTH"].contains { upper.contains($0) }
            || upper.ranges(of: "TOKEN").contains { !upper[$0.upperBound...].hasPrefix("S") }
    }

    /// Variables without a default, with blanks, colons and dashes between them, after at most one word such as `Bearer`.
    private static func isOnlyVariables(_ template: VariableTemplate) -> Bool {
        var hasVariable = false
        for (place, part) in template.parts.enumerated() {
            switch part {
            case .variable(_, let fallback):
                guard fallback?.isEmpty ?? true else { return false }
                hasVariable = true
            case .text(let text) where place == 0:
                let scheme = text.drop(while: \.isWhitespace)
                let rest = scheme.drop { $0.isASCII && $0.isLetter }
                guard rest.allSatisfy(\.isWhitespace), scheme.isEmpty || !rest.isEmpty else { return false }
            case .text(let text):
                let isLast = place == template.parts.count - 1
                guard text.allSatisfy({ $0.isWhitespace || (!isLast && ($0 == ":" || $0 == "-")) }) else { return false }
            }
        }
        return hasVariable
    }
}
