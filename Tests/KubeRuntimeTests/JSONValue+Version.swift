import AssayTesting
import Base

extension JSONValue {
    /// The object at a resource version, with a UID that is made of it.
    func merging(version: String) -> JSONValue {
        var copy = self
        copy.set(["metadata", "resourceVersion"], to: .string(version))
        copy.set(["metadata", "uid"], to: .string("uid-\(version)"))
        return copy
    }
}
