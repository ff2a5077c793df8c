import Base

/// Reads the reward files of a verifier in `/logs/verifier`. Pure: the caller passes the bytes. The rules are in
/// docs/formats.md.
public enum RewardFiles {
    /// The largest reward file that is read. There is a limit because an agent may have influenced the verifier.
    public static let maximumBytes = 64 * 1024

    /// The reward that the files and the exit code give.
    ///
    /// - Parameters:
    ///   - json: the bytes of `reward.json`, nil when there is no such file. It wins over `reward.txt`.
    ///   - text: the bytes of `reward.txt`, nil when there is no such file.
    ///   - exitCode: the exit code of test.sh.
    /// - Throws: `verifier_failed`, `verifier_reward_missing` or `verifier_reward_invalid`.
    public static func verdict(
        json: [UInt8]?, text: [UInt8]?, exitCode: Int, family: TaskSchema
    ) throws(TrialError) -> Reward {
        if family == .rollout, exitCode != 0 {
            throw TrialError(.verifierFailed, "tests/test.sh exited with \(exitCode)")
        }
        do throws(TrialError) {
            return try parse(json: json, text: text)
        } catch {
            guard exitCode != 0 else { throw error }
            throw TrialError(error.type, "\(error.message) (tests/test.sh exited with \(exitCode))")
        }
    }

    /// The reward in the files, whatever the exit code is.
    public static func parse(json: [UInt8]?, text: [UInt8]?) throws(TrialError) -> Reward {
        if let json { return try parse(json: json) }
        if let text { return try parse(text: text) }
        throw TrialError(
            .verifierRewardMissing, "the verifier wrote neither /logs/verifier/reward.json nor /logs/verifier/reward.txt")
    }

    private static func parse(json bytes: [UInt8]) throws(TrialError) -> Reward {
        try checkSize(bytes, of: "reward.json")
        let value: JSONValue
        do {
            value = try JSONValue(parsing: bytes)
        } catch {
            throw invalid("reward.json is not JSON: \(error.message) at line \(error.line), column \(error.column)")
        }
        guard case .object(let members) = value else {
            throw invalid("reward.json must hold an object of numbers, such as {\"reward\": 1}")
        }
        guard !members.isEmpty else { throw invalid("reward.json holds an empty object") }
        var named: [String: Double] = [:]
        for (name, member) in members {
            switch member {
            case .int(let number): named[name] = Double(number)
            case .double(let number) where number.isFinite: named[name] = number
            // As for Harbor: its verifiers are often Python scripts that write a boolean.
            case .bool(let flag): named[name] = flag ? 1 : 0
            default: throw invalid("reward.json: \"\(excerpt(name))\" is not a finite number")
            }
        }
        guard let reward = Reward(named: named) else { throw invalid("reward.json: the mean of its numbers is not finite") }
        return reward
    }

    private static func parse(text bytes: [UInt8]) throws(TrialError) -> Reward {
        try checkSize(bytes, of: "reward.txt")
        let trimmed = trim(bytes)
        guard !trimmed.isEmpty else { throw invalid("reward.txt is empty") }
        guard isDecimal(trimmed), let number = Double(String(decoding: trimmed, as: UTF8.self)), number.isFinite else {
            throw invalid("reward.txt must hold one finite number, not \"\(excerpt(String(decoding: trimmed, as: UTF8.self)))\"")
        }
        return Reward(number)
    }

    private static func checkSize(_ bytes: [UInt8], of name: String) throws(TrialError) {
        guard bytes.count <= maximumBytes else {
            throw invalid("\(name) has \(bytes.count) bytes, more than \(maximumBytes)")
        }
    }

    private static func invalid(_ message: String) -> TrialError { TrialError(.verifierRewardInvalid, message) }

    /// At most 60 characters of the verifier's text, because messages have a limited size.
    private static func excerpt(_ text: String) -> String {
        let printable = text.unicodeScalars.prefix(60).map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) }
        return String(printable)
    }

    private static func trim(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
        let blank: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        guard let start = bytes.firstIndex(where: { !blank($0) }), let end = bytes.lastIndex(where: { !blank($0) })
        else { return [] }
        return bytes[start...end]
    }

    /// `[+-] digits [. digits] [e [+-] digits]`, with digits on at least one side of the point. Stricter than
    /// `Double.init`: no `nan`, no `inf`, no hexadecimal.
    private static func isDecimal(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        func skipDigits() -> Int {
            let digits = rest.prefix { (0x30...0x39).contains($0) }.count
            rest = rest.dropFirst(digits)
            return digits
        }
        func skipSign() {
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        }
        skipSign()
        var digits = skipDigits()
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            digits += skipDigits()
        }
        guard digits > 0 else { return false }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            skipSign()
            guard skipDigits() > 0 else { return false }
        }
        return rest.isEmpty
    }
}
