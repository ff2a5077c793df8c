import Base

/// An amount of a resource (`500m`, `20Mi`, `1e3`), stored in thousandths so that sums are exact.
///
/// Source of the rule: apimachinery `resource.Quantity`; amounts beyond 2^63 thousandths are limited to that value.
struct ResourceQuantity: Sendable, Hashable, Comparable {
    var thousandths: Int64

    init(thousandths: Int64) { self.thousandths = thousandths }
    init(_ whole: Int) { thousandths = Int64(clamping: whole).multipliedReportingOverflow(by: 1000).overflow ? .max : Int64(whole) * 1000 }

    init?(_ value: JSONValue) {
        if let text = value.string { self.init(text) } else if let number = value.double { self.init(String(number)) } else { return nil }
    }

    init?(_ text: String) {
        let digits = text.prefix { $0.isNumber || $0 == "." || $0 == "+" || $0 == "-" }
        var suffix = String(text.dropFirst(digits.count))
        guard var number = Double(digits) else { return nil }
        if let first = suffix.first, first == "e" || first == "E", let exponent = Int(suffix.dropFirst()) {
            for _ in 0..<min(abs(exponent), 30) { number = exponent > 0 ? number * 10 : number / 10 }
            suffix = ""
        }
        let factors: [String: Double] = [
            "": 1, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
            "Ki": 1024, "Mi": 1_048_576, "Gi": 1_073_741_824, "Ti": 1_099_511_627_776, "Pi": 1_125_899_906_842_624,
            "Ei": 1_152_921_504_606_846_976,
        ]
        guard let factor = factors[suffix] else { return nil }
        let scaled = (number * factor * 1000).rounded(.up)
        thousandths = scaled >= 9.2e18 ? .max : scaled <= -9.2e18 ? .min : Int64(scaled)
    }

    /// The amount in whole units, rounded up, as the kubelet does for bytes.
    var whole: Int { Int(thousandths / 1000 + (thousandths % 1000 > 0 ? 1 : 0)) }

    static func < (a: ResourceQuantity, b: ResourceQuantity) -> Bool { a.thousandths < b.thousandths }
    static func + (a: ResourceQuantity, b: ResourceQuantity) -> ResourceQuantity {
        let (sum, overflow) = a.thousandths.addingReportingOverflow(b.thousandths)
        return ResourceQuantity(thousandths: overflow ? .max : sum)
    }
}
