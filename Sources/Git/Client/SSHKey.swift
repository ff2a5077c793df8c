import Base

/// Reads properties of an ssh private key file without using the key.
enum SSHKey {
    /// Whether the key is encrypted, judged by its header (PEM, RFC 1421; PKCS #8) or the name of its cipher (OpenSSH, PROTOCOL.key).
    static func hasPassphrase(_ key: [UInt8]) -> Bool {
        let text = String(decoding: key, as: UTF8.self)
        if text.contains("Proc-Type: 4,ENCRYPTED") || text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") { return true }
        let begin = "-----BEGIN OPENSSH PRIVATE KEY-----"
        guard let start = text.firstRange(of: begin)?.upperBound, let end = text[start...].firstRange(of: "-----END")?.lowerBound,
            case .success(let bytes) = Base64.decode(String(text[start..<end].filter { !$0.isWhitespace }))
        else { return false }
        // The format: "openssh-key-v1", a zero byte, the length of the cipher's name in four bytes, the name.
        let magic = Array("openssh-key-v1\0".utf8)
        guard bytes.starts(with: magic), bytes.count > magic.count + 4 else { return false }
        let length = bytes[magic.count..<(magic.count + 4)].reduce(0) { $0 << 8 | Int($1) }
        let name = bytes.dropFirst(magic.count + 4).prefix(min(length, 64))
        return !name.elementsEqual("none".utf8)
    }
}
