/// The syntax tree of a regular expression.
indirect enum PatternNode {
    case empty
    case scalar(PatternClass)
    case sequence([PatternNode])
    case alternatives([PatternNode])
    case `repeat`(PatternNode, least: Int, most: Int?, greedy: Bool)
    case assertion(Assertion)

    enum Assertion {
        case textStart, textEnd, lineStart, lineEnd, wordBoundary, noWordBoundary
    }

    /// Whether it can match the empty text.
    var canBeEmpty: Bool {
        switch self {
        case .empty, .assertion: true
        case .scalar: false
        case .sequence(let parts): parts.allSatisfy(\.canBeEmpty)
        case .alternatives(let branches): branches.contains(where: \.canBeEmpty)
        case .repeat(let part, let least, _, _): least == 0 || part.canBeEmpty
        }
    }
}

/// A set of characters.
struct PatternClass: Sendable {
    enum Item: Sendable {
        case range(UInt32, UInt32)
        case category(PatternCategory, negated: Bool)
        /// A negated set inside a set: `[\D\s]`.
        case not([Item])
    }

    var items: [Item] = []
    var negated = false
    var foldsCase = false

    static func range(_ low: UInt32, _ high: UInt32) -> PatternClass { PatternClass(items: [.range(low, high)]) }

    static let digits: [Item] = [.range(0x30, 0x39)]
    static let spaces: [Item] = [.range(9, 10), .range(12, 13), .range(32, 32)]
    static let word: [Item] = [.range(0x30, 0x39), .range(0x41, 0x5A), .range(0x5F, 0x5F), .range(0x61, 0x7A)]

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        var found = Self.any(items, scalar)
        if !found, foldsCase {
            for other in Self.folds(of: scalar) where Self.any(items, other) {
                found = true
                break
            }
        }
        return found != negated
    }

    private static func any(_ items: [Item], _ scalar: Unicode.Scalar) -> Bool {
        for item in items {
            switch item {
            case .range(let low, let high): if scalar.value >= low && scalar.value <= high { return true }
            case .category(let category, let negated): if category.contains(scalar) != negated { return true }
            case .not(let inner): if !any(inner, scalar) { return true }
            }
        }
        return false
    }

    private static func folds(of scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        let properties = scalar.properties
        return [properties.lowercaseMapping, properties.uppercaseMapping].compactMap { mapping in
            guard let first = mapping.unicodeScalars.first, mapping.unicodeScalars.count == 1, first != scalar else { return nil }
            return first
        }
    }
}

/// A Unicode general category, or a group of them, as `\p{L}` names it.
struct PatternCategory: Sendable {
    private let prefix: String

    /// Nil for a name that is not a general category; names of scripts are not supported.
    init?(_ name: String) {
        let known: Set<String> = [
            "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf",
            "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Co", "Cs", "Any",
        ]
        guard known.contains(name) else { return nil }
        prefix = name == "Any" ? "" : name
    }

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        Self.abbreviation(scalar.properties.generalCategory).hasPrefix(prefix)
    }

    private static func abbreviation(_ category: Unicode.GeneralCategory) -> String {
        switch category {
        case .uppercaseLetter: "Lu"
        case .lowercaseLetter: "Ll"
        case .titlecaseLetter: "Lt"
        case .modifierLetter: "Lm"
        case .otherLetter: "Lo"
        case .nonspacingMark: "Mn"
        case .spacingMark: "Mc"
        case .enclosingMark: "Me"
        case .decimalNumber: "Nd"
        case .letterNumber: "Nl"
        case .otherNumber: "No"
        case .connectorPunctuation: "Pc"
        case .dashPunctuation: "Pd"
        case .openPunctuation: "Ps"
        case .closePunctuation: "Pe"
        case .initialPunctuation: "Pi"
        case .finalPunctuation: "Pf"
        case .otherPunctuation: "Po"
        case .mathSymbol: "Sm"
        case .currencySymbol: "Sc"
        case .modifierSymbol: "Sk"
        case .otherSymbol: "So"
        case .spaceSeparator: "Zs"
        case .lineSeparator: "Zl"
        case .paragraphSeparator: "Zp"
        case .control: "Cc"
        case .format: "Cf"
        case .surrogate: "Cs"
        case .privateUse: "Co"
        case .unassigned: "Cn"
        @unknown default: "Cn"
        }
    }
}
