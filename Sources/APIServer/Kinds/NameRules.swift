/// The grammars of names, with the messages of apimachinery's `validation` package. Each function returns what is wrong, or nil.
enum NameRules {
    static let subdomainMessage =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
        + "alphanumeric character (e.g. 'example.com', regex used for validation is "
        + "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    static let labelMessage =
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
        + "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

    /// The name of an object. A prefix (`generateName`) may end in a dash.
    static func subdomain(_ name: String, isPrefix: Bool = false) -> String? {
        let name = isPrefix ? masked(name) : name
        if name.utf8.count > 253 { return "must be no more than 253 characters" }
        return name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isLabel($0) } ? nil : subdomainMessage
    }

    static func label(_ name: String, isPrefix: Bool = false) -> String? {
        let name = isPrefix ? masked(name) : name
        if name.utf8.count > 63 { return "must be no more than 63 characters" }
        return isLabel(name[...]) ? nil : labelMessage
    }

    /// A name that can be a segment of a path (names of roles and bindings).
    static func pathSegment(_ name: String) -> String? {
        if name == "." || name == ".." { return "may not be '\(name)'" }
        for part in ["/", "%"] where name.contains(part) { return "may not contain '\(part)'" }
        return nil
    }

    /// The key of a ConfigMap or Secret.
    static func configKey(_ key: String) -> String? {
        if key.utf8.count > 253 { return "must be no more than 253 characters" }
        let isGood =
            !key.isEmpty
            && key.utf8.allSatisfy {
                isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
            }
        guard isGood else {
            return
                "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
                + "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
        }
        if key == "." || key == ".." { return "must not be '\(key)'" }
        if key.hasPrefix("..") { return "must not start with '..'" }
        return nil
    }

    /// The key of a label or annotation, or a finalizer: `name` or `prefix/name`.
    static func qualified(_ name: String) -> String? {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let last = parts.last else {
            return
                "a valid label key \(qualifiedMessage) with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        }
        if parts.count == 2 {
            if parts[0].isEmpty { return "prefix part must be non-empty" }
            if parts[0].utf8.count > 253 { return "prefix part must be no more than 253 bytes" }
            if let fault = subdomain(String(parts[0])) { return "prefix part \(fault)" }
        }
        if last.isEmpty { return "name part must be non-empty" }
        if last.utf8.count > 63 { return "name part must be no more than 63 bytes" }
        return isWord(last) ? nil : "name part \(qualifiedMessage)"
    }

    private static let qualifiedMessage =
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
        + "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"

    static func labelValue(_ value: String) -> String? {
        if value.utf8.count > 63 { return "must be no more than 63 bytes" }
        guard value.isEmpty || isWord(value[...]) else {
            return
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
                + "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
                + "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        }
        return nil
    }

    /// The name of an environment variable (relaxed as of 1.32): printable ASCII except `=`.
    static func environmentName(_ name: String) -> String? {
        let isGood = !name.isEmpty && name.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "=") }
        return isGood ? nil : "a valid environment variable name must consist only of printable ASCII characters other than '='"
    }

    private static func masked(_ prefix: String) -> String {
        prefix.count > 1 && prefix.hasSuffix("-") ? String(prefix.dropLast()) + "a" : prefix
    }

    private static func isLabel(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last, isLowerAlphanumeric(first), isLowerAlphanumeric(last) else {
            return false
        }
        return text.utf8.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    private static func isWord(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last, isAlphanumeric(first), isAlphanumeric(last) else {
            return false
        }
        return text.utf8.allSatisfy {
            isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
        }
    }

    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isLowerAlphanumeric(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }
}
