import Base

/// The data of a Secret as the API has it.
enum SecretData {
    /// The values by key, decoded; a value that is no Base64 is left out.
    static func bytes(of secret: JSONValue) -> [String: [UInt8]] {
        var data: [String: [UInt8]] = [:]
        for (key, value) in secret["data"]?.object ?? [:] {
            if let text = value.string, case .success(let bytes) = Base64.decode(text) { data[key] = bytes }
        }
        return data
    }
}
