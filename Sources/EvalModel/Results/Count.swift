/// Numbers with their noun, for messages.
public enum Count {
    /// `1 trial`, `2 trials`.
    public static func of(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
