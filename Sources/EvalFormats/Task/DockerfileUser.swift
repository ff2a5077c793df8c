/// The user that an image has, as far as its Dockerfile tells.
enum DockerfileUser {
    /// The last `USER` of the last stage, or of the stage that it begins from; nil when there is none, so that the image has its base's user, or when it
    /// depends on a variable.
    static func user(in text: String) -> String? {
        var users: [String: String] = [:]
        var stage: String?
        var user: String?
        var isContinued = false
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            let isInstruction = !isContinued
            isContinued = words.last?.hasSuffix("\\") == true
            guard isInstruction, words.count >= 2 else { continue }
            switch first.uppercased() {
            case "FROM":
                let names = words.dropFirst().drop { $0.hasPrefix("--") }.map { $0.lowercased() }
                user = names.first.flatMap { users[$0] }
                stage = names.count == 3 && names[1] == "as" ? names[2] : nil
            case "USER": user = words[1].contains("$") ? nil : String(words[1])
            default: continue
            }
            if let stage { users[stage] = user }
        }
        return user
    }
}
