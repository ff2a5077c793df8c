import Git

/// A kind of content that an overlay adds to trials.
public enum OverlaySurface: String, Sendable, Hashable, Codable, CaseIterable {
    case tools
    case workflows
    case skills
    case personas
    case prompt

    /// What one entry is called in messages.
    public var entry: String {
        switch self {
        case .tools: "tool"
        case .workflows: "workflow"
        case .skills: "skill"
        case .personas: "persona"
        case .prompt: "prompt"
        }
    }
}

/// Where a repository has its surfaces. A surface without a path is disabled.
public struct OverlayPaths: Sendable, Hashable, Codable {
    private var paths: [OverlaySurface: GitPath]

    public init() { paths = [:] }

    /// - Parameter texts: relative to the root of the repository; an empty text disables the surface.
    /// - Throws: `.invalidInput` for a path that git could interpret differently.
    public init(parsing texts: [OverlaySurface: String]) throws(GitError) {
        paths = [:]
        for surface in OverlaySurface.allCases {
            guard let text = texts[surface], !text.isEmpty else { continue }
            paths[surface] = try GitPath(parsing: text)
        }
    }

    public subscript(surface: OverlaySurface) -> GitPath? {
        get { paths[surface] }
        set { paths[surface] = newValue }
    }

    /// The surfaces that have a path, in a fixed order.
    public var surfaces: [OverlaySurface] { OverlaySurface.allCases.filter { paths[$0] != nil } }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.singleValueContainer().decode([String: GitPath].self)
        paths = [:]
        for (name, path) in values {
            guard let surface = OverlaySurface(rawValue: name) else {
                throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "there is no surface \"\(name)\""))
            }
            paths[surface] = path
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Dictionary(uniqueKeysWithValues: paths.map { ($0.key.rawValue, $0.value) }))
    }
}
