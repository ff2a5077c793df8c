/// What the language reads of the schema that an object follows: enough to give its parts types and values.
///
/// The schema itself, with all that it says of validity, is `KubeSchema`'s. Identity is type identity: two objects are of one type when
/// they follow the same node.
package protocol CELSchema: AnyObject, Sendable {
    /// The declared type; empty where none is.
    var type: String { get }
    /// Of the formats, those that mean something for `type`; empty where none is.
    var format: String { get }
    var nullable: Bool { get }
    /// `x-kubernetes-int-or-string`.
    var intOrString: Bool { get }
    /// `x-kubernetes-preserve-unknown-fields`.
    var preservesUnknown: Bool { get }
    /// `x-kubernetes-embedded-resource`.
    var embedded: Bool { get }
    /// `x-kubernetes-list-type`.
    var listType: String? { get }
    var listMapKeys: [String] { get }
    /// The schema of the elements of an array.
    var elementSchema: (any CELSchema)? { get }
    /// The schema that all values of a map have; nil for an object with named fields.
    var valueSchema: (any CELSchema)? { get }
    /// The schema of a named field. A resource has `apiVersion`, `kind`, and a name in its metadata, whatever its own schema says.
    func fieldSchema(_ name: String, ofResource isResource: Bool) -> (any CELSchema)?
}
