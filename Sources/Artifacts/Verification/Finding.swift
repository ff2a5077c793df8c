import Base

/// A problem that verification found in stored results.
public struct Finding: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Reported by git's own check of its objects.
        case objects
        /// The branch's history is not linear.
        case history
        /// A record was committed more than once.
        case duplicate
        /// The history mentions a record that does not exist.
        case missing
        /// A record exists that the history does not mention. Printed as `untold`, the name that scripts may already read.
        case uncommitted = "untold"
        /// The listing and the record have different values.
        case disagreement
        /// A record's id does not match its content or its path.
        case id
        /// A document does not match its schema.
        case schema
        /// A document of a version that this program cannot check.
        case version
        /// A part of a record is missing.
        case incomplete
    }

    public var kind: Kind
    /// A path, a commit or an object that shows where to look.
    public var place: String
    /// What is wrong, and what to do about it.
    public var message: String
    /// False for information that is not an error.
    public var isFault = true

    public init(_ kind: Kind, _ place: String, _ message: String, isFault: Bool = true) {
        self.kind = kind
        self.place = place
        self.message = message
        self.isFault = isFault
    }

    public var json: JSONValue {
        ["kind": .string(kind.rawValue), "place": .string(place), "message": .string(message), "fault": .bool(isFault)]
    }
}
