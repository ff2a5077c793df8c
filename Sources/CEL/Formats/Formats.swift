import Base

/// The `format` keyword: which formats the server checks, and how (`apiserver/validation/formats.go`, `kube-openapi/pkg/validation/strfmt`).
package enum Formats {
    private static let text: Set<String> = [
        "bsonobjectid", "uri", "email", "hostname", "ipv4", "ipv6", "cidr", "mac", "uuid", "uuid3", "uuid4", "uuid5", "isbn", "isbn10",
        "isbn13", "creditcard", "ssn", "hexcolor", "rgbcolor", "byte", "password", "date", "duration", "datetime", "k8sshortname",
        "k8slongname",
    ]

    /// Whether a format applies to a type; for other types the server ignores it.
    package static func applies(_ format: String, to type: String) -> Bool {
        switch type {
        case "", "string": text.contains(normalized(format))
        case "integer": format == "int32" || format == "int64"
        case "number": format == "float" || format == "double"
        default: false
        }
    }

    /// Whether strings are checked against the format.
    package static func isKnown(_ format: String) -> Bool { text.contains(normalized(format)) }

    package static func matches(_ value: String, _ format: String) -> Bool {
        switch normalized(format) {
        case "datetime": CELTime.timestamp(dateTime: value) != nil
        case "date": CELTime.timestamp(date: value) != nil
        case "duration": CELTime.duration(loose: value) != nil
        case "ipv4": value.contains(".") && IPAddress(value, sloppy: true) != nil
        case "ipv6": value.contains(":") && IPAddress(value) != nil
        case "cidr": IPNetwork(value, sloppy: true) != nil
        case "uri": URLParts(requestURI: value) != nil
        case "byte": !value.isEmpty && isBase64(value)
        case "hostname": hostname(value)
        case "k8sshortname": shortName(value)
        case "k8slongname":
            value.utf8.count <= 253 && value.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { shortName(String($0)) }
        case "isbn": isbn10(value) || isbn13(value)
        case "isbn10": isbn10(value)
        case "isbn13": isbn13(value)
        default: patterns[normalized(format)]?.matches(value) ?? true
        }
    }

    private static func normalized(_ format: String) -> String { format.filter { $0 != "-" } }

    private static let patterns: [String: Pattern] = [
        "uuid": #"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"#,
        "uuid3": #"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$"#,
        "uuid4": #"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"#,
        "uuid5": #"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"#,
        "bsonobjectid": #"^[0-9a-fA-F]{24}$"#,
        "mac": #"^([0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}|[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){7}|([0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4})$"#,
        "ssn": #"^\d{3}[- ]?\d{2}[- ]?\d{4}$"#,
        "hexcolor": #"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"#,
        "rgbcolor":
            #"^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$"#,
        "creditcard": #"^(?:[0-9][- ]?){13,19}$"#,
        "email": #"^(?:[^<>]*<)?[^@\s<>,;:"()\[\]\\]+@[A-Za-z0-9\[][A-Za-z0-9.:\[\]-]*>?$"#,
    ].compactMapValues { try? Pattern($0) }

    private static let hostPattern = try? Pattern(
        #"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$"#
    )

    private static func hostname(_ value: String) -> Bool {
        guard value.utf8.count <= 255, value.split(separator: ".").allSatisfy({ $0.utf8.count <= 63 }) else { return false }
        return hostPattern?.matches(value) ?? false
    }

    private static func shortName(_ value: String) -> Bool {
        let bytes = Array(value.utf8)
        guard (1...63).contains(bytes.count), bytes.first != 0x2D, bytes.last != 0x2D else { return false }
        return bytes.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }

    private static func isBase64(_ value: String) -> Bool {
        if case .success = Base64.decode(value) { true } else { false }
    }

    private static func isbn10(_ value: String) -> Bool {
        let characters = value.filter { $0 != "-" && $0 != " " }
        guard characters.count == 10 else { return false }
        var sum = 0
        for (index, character) in characters.enumerated() {
            let digit = index == 9 && character == "X" ? 10 : character.isASCII ? character.wholeNumberValue : nil
            guard let digit else { return false }
            sum += (index + 1) * digit
        }
        return sum % 11 == 0
    }

    private static func isbn13(_ value: String) -> Bool {
        let digits = value.filter { $0 != "-" && $0 != " " }.map { $0.isASCII ? $0.wholeNumberValue : nil }
        guard digits.count == 13 else { return false }
        var sum = 0
        for (index, digit) in digits.enumerated() {
            guard let digit else { return false }
            sum += index.isMultiple(of: 2) ? digit : 3 * digit
        }
        return sum % 10 == 0
    }
}
