/// Checks the name of an image, and decides how the image is pulled.
///
/// Source of the rule: distribution/reference (the grammar of names) and the kubelet's `applyDefaultImageTag`.
enum ImageReference {
    /// The image that needs no registry: a root made of the host's programs.
    static let hostRoot = "rootfs:/"

    /// Why the name is refused, in the kubelet's words; nil when the name is valid.
    static func problem(with name: String) -> String? {
        guard name != hostRoot, let reason = syntaxProblem(name) else { return nil }
        return "Failed to apply default image tag \"\(name)\": couldn't parse image name \"\(name)\": \(reason)"
    }

    /// `Always` for `:latest` and for no tag, otherwise `IfNotPresent`.
    static func defaultPullPolicy(_ name: String) -> String {
        if name == hostRoot || name.contains("@") { return "IfNotPresent" }
        let last = name.split(separator: "/").last ?? ""
        guard let colon = last.lastIndex(of: ":") else { return "Always" }
        return last[last.index(after: colon)...] == "latest" ? "Always" : "IfNotPresent"
    }

    private static func syntaxProblem(_ name: String) -> String? {
        let invalid = "invalid reference format"
        if name.isEmpty { return invalid }
        var rest = name[...]
        if let at = rest.firstIndex(of: "@") {
            let digest = rest[rest.index(after: at)...]
            let parts = digest.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[1].count >= 32, parts[1].allSatisfy(\.isHexDigit) else { return invalid }
            rest = rest[..<at]
        }
        let slash = rest.lastIndex(of: "/")
        if let colon = rest.lastIndex(of: ":"), slash.map({ colon > $0 }) ?? true {
            let tag = rest[rest.index(after: colon)...]
            rest = rest[..<colon]
            guard (1...128).contains(tag.count), tag.first != ".", tag.first != "-", tag.allSatisfy({ isWord($0) || $0 == "." || $0 == "-" })
            else { return problem(of: rest, otherwise: invalid) }
        }
        var components = rest.split(separator: "/", omittingEmptySubsequences: false)
        if components.count > 1, let first = components.first, isDomain(first) { components.removeFirst() }
        guard !components.isEmpty, components.allSatisfy(isPathComponent) else { return problem(of: rest, otherwise: invalid) }
        return rest.count > 255 ? "repository name must not be more than 255 characters" : nil
    }

    /// A name whose only fault is an upper-case letter gets a message that says so.
    private static func problem(of rest: Substring, otherwise invalid: String) -> String {
        var repository = rest
        if let slash = rest.firstIndex(of: "/"), isDomain(rest[..<slash]) || rest[..<slash].contains(where: \.isUppercase) {
            repository = rest[rest.index(after: slash)...]
        }
        return repository.contains(where: \.isUppercase) ? "\(invalid): repository name (\(repository)) must be lowercase" : invalid
    }

    private static func isDomain(_ text: Substring) -> Bool {
        guard text == "localhost" || text.contains(".") || text.contains(":") || text.contains(where: \.isUppercase) else { return false }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, parts[1].isEmpty || !parts[1].allSatisfy(\.isASCIIDigit) { return false }
        return parts[0].split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            !label.isEmpty && label.first != "-" && label.last != "-" && label.allSatisfy { isWord($0) && $0 != "_" || $0 == "-" }
        }
    }

    private static func isPathComponent(_ text: Substring) -> Bool {
        guard let first = text.first, let last = text.last, isLowerAlphanumeric(first), isLowerAlphanumeric(last) else { return false }
        var separators = ""
        for character in text {
            if isLowerAlphanumeric(character) {
                let plain = separators.isEmpty || [".", "_", "__"].contains(separators) || separators.allSatisfy { $0 == "-" }
                if !plain { return false }
                separators = ""
            } else if "._-".contains(character) {
                separators.append(character)
            } else {
                return false
            }
        }
        return true
    }

    private static func isLowerAlphanumeric(_ c: Character) -> Bool { c.isASCIIDigit || ("a"..."z").contains(c) }
    private static func isWord(_ c: Character) -> Bool { c.isASCII && (c.isLetter || c.isNumber || c == "_") }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
