import Base

/// Something that is not as it should be in a place with results.
public struct Finding: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// git's own check of its objects.
        case objects
        /// The branch's history is not one line of commits.
        case history
        /// A record was committed more than once.
        case duplicate
        /// A record that the history tells of is not there.
        case missing
        /// A record that the history does not tell of.
        case untold
        /// The listing says something else than the record.
        case disagreement
        /// A record's id is not the one of what it records, or of where it lies.
        case id
        /// A document is not as its schema says.
        case schema
        /// A document that this version cannot judge.
        case version
        /// A record without a part of it.
        case incomplete
    }

    public var kind: Kind
    /// A path, a commit or an object: where to look.
    public var place: String
    /// What is wrong, and what to do about it.
    public var message: String
    /// False for what is worth knowing and no fault.
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
