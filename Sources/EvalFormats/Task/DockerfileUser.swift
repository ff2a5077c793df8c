/// The user that an image has, as far as its Dockerfile tells.
enum DockerfileUser {
    /// The last `USER` of the last stage; nil when there is none, so that the image has its base's user, or when it depends on a variable.
    static func user(in text: String) -> String? {
        var user: String?
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard words.count >= 2 else { continue }
            switch words[0].uppercased() {
            case "FROM": user = nil
            case "USER": user = words[1].contains("$") ? nil : String(words[1])
            default: break
            }
        }
        return user
    }
}
