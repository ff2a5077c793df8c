/// The part of an object's schema that CEL uses: enough to determine the types and values of its parts.
///
/// The complete schema, with its validation rules, is in `KubeSchema`. Two objects have the same type when they have the same
/// schema node (the same instance).
package protocol CELSchema: AnyObject, Sendable {
    /// The declared type; empty when there is none.
    var type: String { get }
    /// The format, if it applies to `type`; otherwise empty.
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
    /// The schema of all values of a map; nil for an object with named fields.
    var valueSchema: (any CELSchema)? { get }
    /// The schema of a named field. A resource always has `apiVersion`, `kind`, and a name in its metadata, even when its own
    /// schema does not name them.
    func fieldSchema(_ name: String, ofResource isResource: Bool) -> (any CELSchema)?
}
