/// What a registry asks for in `WWW-Authenticate` (RFC 9110, section 11.6.1; Docker's token authentication).
enum AuthChallenge: Sendable, Hashable {
    case basic
    /// A token from another address.
    case bearer(realm: String, service: String?, scope: String?)

    /// The first challenge of a kind that is known.
    ///
    /// - Parameter usesTLS: whether the registry was reached by TLS. It may then name no token address without TLS, to which the login would go in
    ///   clear text.
    init?(_ headers: [String], usesTLS: Bool) {
        for header in headers {
            let scheme = header.prefix { $0 != " " }.lowercased()
            if scheme == "basic" {
                self = .basic
                return
            }
            guard scheme == "bearer" else { continue }
            let values = Self.parameters(header.dropFirst(scheme.count))
            guard let realm = values["realm"], realm.hasPrefix("https://") || !usesTLS && realm.hasPrefix("http://") else { continue }
            self = .bearer(realm: realm, service: values["service"], scope: values["scope"])
            return
        }
        return nil
    }

    /// `name="value", name=value`; a quoted value may have commas.
    private static func parameters(_ text: Substring) -> [String: String] {
        var values: [String: String] = [:]
        var rest = text
        while true {
            rest = rest.drop { $0 == " " || $0 == "," }
            let name = rest.prefix { $0 != "=" }
            guard !name.isEmpty, name.count < rest.count else { return values }
            rest = rest.dropFirst(name.count + 1)
            var value = ""
            if rest.first == "\"" {
                rest = rest.dropFirst()
                while let character = rest.popFirst(), character != "\"" {
                    if character == "\\", let next = rest.popFirst() { value.append(next) } else { value.append(character) }
                }
            } else {
                value = String(rest.prefix { $0 != "," })
                rest = rest.dropFirst(value.count)
            }
            values[name.lowercased()] = value
        }
    }
}
