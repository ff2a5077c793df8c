/// The signatures of the functions. `dyn` as an argument type accepts any type.
enum CELSignatures {
    struct Signature: Sendable {
        /// Nil for a function without a receiver.
        let receiver: CELType?
        let arguments: [CELType]
        let result: CELType
    }

    private static let ip = CELType.opaque("net.IP")
    private static let cidr = CELType.opaque("net.CIDR")
    private static let url = CELType.opaque("kubernetes.URL")
    private static let quantity = CELType.opaque("kubernetes.Quantity")
    private static let format = CELType.opaque("kubernetes.NamedFormat")
    private static let anyList = CELType.list(.dyn)
    private static let anyMap = CELType.map(.dyn, .dyn)

    private static func on(_ receiver: CELType, _ arguments: [CELType], _ result: CELType) -> Signature {
        Signature(receiver: receiver, arguments: arguments, result: result)
    }

    private static func call(_ arguments: [CELType], _ result: CELType) -> Signature {
        Signature(receiver: nil, arguments: arguments, result: result)
    }

    /// The overloads of each function, by name.
    static let table: [String: [Signature]] = {
        var table: [String: [Signature]] = [
            "size": [
                on(.string, [], .int), on(.bytes, [], .int), on(anyList, [], .int), on(anyMap, [], .int), call([.string], .int),
                call([.bytes], .int), call([anyList], .int), call([anyMap], .int),
            ],
            "type": [call([.dyn], .type)], "dyn": [call([.dyn], .dyn)],
            "int": [.int, .uint, .double, .string, .timestamp, .duration].map { call([$0], .int) },
            "uint": [.int, .uint, .double, .string].map { call([$0], .uint) },
            "double": [.int, .uint, .double, .string].map { call([$0], .double) },
            "string": [.string, .bool, .int, .uint, .double, .bytes, .timestamp, .duration, ip, cidr].map { call([$0], .string) },
            "bool": [call([.bool], .bool), call([.string], .bool)], "bytes": [call([.bytes], .bytes), call([.string], .bytes)],
            "timestamp": [.string, .int, .timestamp].map { call([$0], .timestamp) },
            "duration": [.string, .int, .duration].map { call([$0], .duration) },
            "matches": [on(.string, [.string], .bool), call([.string, .string], .bool)],
            "find": [on(.string, [.string], .string)],
            "findAll": [on(.string, [.string], .list(.string)), on(.string, [.string, .int], .list(.string))],
            "charAt": [on(.string, [.int], .string)], "lowerAscii": [on(.string, [], .string)], "upperAscii": [on(.string, [], .string)],
            "trim": [on(.string, [], .string)],
            "replace": [on(.string, [.string, .string], .string), on(.string, [.string, .string, .int], .string)],
            "split": [on(.string, [.string], .list(.string)), on(.string, [.string, .int], .list(.string))],
            "substring": [on(.string, [.int], .string), on(.string, [.int, .int], .string)],
            "format": [on(.string, [anyList], .string)], "strings.quote": [call([.string], .string)],
            "join": [on(.list(.string), [], .string), on(.list(.string), [.string], .string)],
            "isSorted": [on(anyList, [], .bool)], "lists.range": [call([.int], .list(.int))],
            "flatten": [on(anyList, [], anyList), on(anyList, [.int], anyList)],
            "sets.contains": [call([anyList, anyList], .bool)], "sets.equivalent": [call([anyList, anyList], .bool)],
            "sets.intersects": [call([anyList, anyList], .bool)],
            "getMilliseconds": [
                on(.timestamp, [], .int), on(.timestamp, [.string], .int), on(.duration, [], .int),
            ],
            "optional.none": [call([], .optional(.dyn))], "hasValue": [on(.optional(.dyn), [], .bool)],
            "url": [call([.string], url)], "isURL": [call([.string], .bool)],
            "getQuery": [on(url, [], .map(.string, .list(.string)))],
            "ip": [call([.string], ip), on(cidr, [], ip)], "isIP": [call([.string], .bool)], "ip.isCanonical": [call([.string], .bool)],
            "family": [on(ip, [], .int)],
            "cidr": [call([.string], cidr)], "isCIDR": [call([.string], .bool)], "prefixLength": [on(cidr, [], .int)],
            "masked": [on(cidr, [], cidr)], "containsIP": [on(cidr, [.string], .bool), on(cidr, [ip], .bool)],
            "containsCIDR": [on(cidr, [.string], .bool), on(cidr, [cidr], .bool)],
            "quantity": [call([.string], quantity)], "isQuantity": [call([.string], .bool)], "sign": [on(quantity, [], .int)],
            "isInteger": [on(quantity, [], .bool)], "asInteger": [on(quantity, [], .int)],
            "asApproximateFloat": [on(quantity, [], .double)], "isGreaterThan": [on(quantity, [quantity], .bool)],
            "isLessThan": [on(quantity, [quantity], .bool)], "compareTo": [on(quantity, [quantity], .int)],
            "add": [on(quantity, [quantity], quantity), on(quantity, [.int], quantity)],
            "sub": [on(quantity, [quantity], quantity), on(quantity, [.int], quantity)],
            "format.named": [call([.string], .optional(format))],
            "validate": [on(format, [.string], .optional(.list(.string)))],
        ]
        for name in ["startsWith", "endsWith", "contains"] { table[name] = [on(.string, [.string], .bool)] }
        for name in ["indexOf", "lastIndexOf"] {
            table[name] = [on(.string, [.string], .int), on(.string, [.string, .int], .int), on(anyList, [.dyn], .int)]
        }
        for name in ["getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"] {
            table[name] = [on(.timestamp, [], .int), on(.timestamp, [.string], .int)]
        }
        for name in ["getHours", "getMinutes", "getSeconds"] {
            table[name] = [on(.timestamp, [], .int), on(.timestamp, [.string], .int), on(.duration, [], .int)]
        }
        for name in ["getScheme", "getHost", "getHostname", "getPort", "getEscapedPath"] { table[name] = [on(url, [], .string)] }
        for name in ["isUnspecified", "isLoopback", "isLinkLocalMulticast", "isLinkLocalUnicast", "isGlobalUnicast"] {
            table[name] = [on(ip, [], .bool)]
        }
        for name in CELFunctions.namespaced where name.hasPrefix("format.") && name != "format.named" { table[name] = [call([], format)] }
        return table
    }()

    /// The result type of functions for which it depends on the argument types; nil when the function is not one of them or the
    /// arguments do not fit.
    static func generic(_ name: String, _ receiver: CELType?, _ arguments: [CELType]) -> CELType? {
        switch (name, receiver, arguments.count) {
        case ("optional.of", nil, 1), ("optional.ofNonZeroValue", nil, 1): return .optional(arguments[0])
        case ("value", .optional(let inner)?, 0): return inner
        case ("orValue", .optional(let inner)?, 1): return CELType.fits(inner, arguments[0]) ? (inner.isDyn ? arguments[0] : inner) : nil
        case ("or", .optional(let inner)?, 1): return CELType.fits(.optional(inner), arguments[0]) ? arguments[0] : nil
        case ("sum", .list(let element)?, 0), ("min", .list(let element)?, 0), ("max", .list(let element)?, 0): return element
        case ("first", .list(let element)?, 0), ("last", .list(let element)?, 0): return .optional(element)
        case ("slice", .list?, 2): return arguments.allSatisfy { CELType.fits($0, .int) } ? receiver : nil
        case ("distinct", .list?, 0), ("reverse", .list?, 0), ("sort", .list?, 0), ("@sortByAssociatedKeys", .list?, 1): return receiver
        default: return nil
        }
    }

    static let generics: Set<String> = [
        "optional.of", "optional.ofNonZeroValue", "value", "orValue", "or", "sum", "min", "max", "first", "last", "slice", "distinct",
        "reverse", "sort", "@sortByAssociatedKeys",
    ]
}
