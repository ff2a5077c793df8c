/// The name of a step: the name of its folder on every system. Source of the rules: Harbor's `validate_step_name` and `step_name_key`.
enum StepName {
    /// What is wrong with the name; nil when nothing is.
    static func problem(with name: String) -> String? {
        let scalars = name.unicodeScalars
        if name.trimmed.isEmpty { return "must not be empty" }
        if name == "." || name == ".." || scalars.last == "." || scalars.last == " " { return "must not end with a dot or a blank" }
        if scalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F || "<>:\"/\\|?*".unicodeScalars.contains($0) }) {
            return "must not contain control characters or any of < > : \" / \\ | ? *"
        }
        if isDevice(name) { return "is the name of a device on Windows" }
        return name.utf8.count > 255 ? "must be at most 255 bytes long" : nil
    }

    /// Equal for names that are the same folder where upper and lower case are the same. (`String` compares by canonical equivalence.)
    static func key(_ name: String) -> String { name.uppercased().lowercased() }

    private static func isDevice(_ name: String) -> Bool {
        var word = name.prefix { $0 != "." }.uppercased()
        while word.last == " " { word.removeLast() }
        if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(word) { return true }
        guard word.count == 4, word.hasPrefix("COM") || word.hasPrefix("LPT"), let digit = word.last else { return false }
        return "123456789¹²³".contains(digit)
    }
}
