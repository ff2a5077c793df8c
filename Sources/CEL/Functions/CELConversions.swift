import Base

/// `int()`, `string()`, `timestamp()` and the other conversions.
enum CELConversions {
    static func convert(_ value: CELValue, to type: String) throws(CELError) -> CELValue {
        switch type {
        case "int": return .int(try int(value))
        case "uint": return .uint(try uint(value))
        case "double": return .double(try double(value))
        case "string": return .string(try string(value))
        case "bool": return .bool(try bool(value))
        case "bytes":
            switch value {
            case .bytes: return value
            case .string(let text): return .bytes(Array(text.utf8))
            default: throw .noOverload
            }
        case "timestamp": return try timestamp(value)
        case "duration":
            switch value {
            case .duration: return value
            case .int(let nanoseconds): return .duration(nanoseconds)
            case .string(let text):
                guard let nanoseconds = CELTime.duration(text) else {
                    throw CELError("type conversion error from 'string' to 'google.protobuf.Duration'")
                }
                return .duration(nanoseconds)
            default: throw .noOverload
            }
        default: throw .noOverload
        }
    }

    private static func int(_ value: CELValue) throws(CELError) -> Int64 {
        switch value {
        case .int(let number): return number
        case .uint(let number):
            guard let result = Int64(exactly: number) else { throw .overflow }
            return result
        case .double(let number):
            guard number > -9.223372036854775808e18, number < 9.223372036854775807e18 else { throw .overflow }
            return Int64(number)
        case .string(let text):
            guard let result = Int64(text) else { throw CELError("type conversion error from 'string' to 'int'") }
            return result
        case .timestamp(let moment): return moment.seconds
        case .duration(let nanoseconds): return nanoseconds
        case .quantity(let quantity): return try quantity.asInteger()
        default: throw .noOverload
        }
    }

    private static func uint(_ value: CELValue) throws(CELError) -> UInt64 {
        let overflow = CELError("unsigned integer overflow")
        switch value {
        case .uint(let number): return number
        case .int(let number):
            guard let result = UInt64(exactly: number) else { throw overflow }
            return result
        case .double(let number):
            guard number >= 0, number < 1.8446744073709551615e19 else { throw overflow }
            return UInt64(number)
        case .string(let text):
            guard let result = UInt64(text) else { throw CELError("type conversion error from 'string' to 'uint'") }
            return result
        default: throw .noOverload
        }
    }

    private static func double(_ value: CELValue) throws(CELError) -> Double {
        switch value {
        case .double(let number): return number
        case .int(let number): return Double(number)
        case .uint(let number): return Double(number)
        case .string(let text):
            guard let result = Double(text) else { throw CELError("type conversion error from 'string' to 'double'") }
            return result
        default: throw .noOverload
        }
    }

    private static func bool(_ value: CELValue) throws(CELError) -> Bool {
        switch value {
        case .bool(let flag): return flag
        case .string("1"), .string("t"), .string("T"), .string("true"), .string("TRUE"), .string("True"): return true
        case .string("0"), .string("f"), .string("F"), .string("false"), .string("FALSE"), .string("False"): return false
        case .string: throw CELError("type conversion error from 'string' to 'bool'")
        default: throw .noOverload
        }
    }

    static func string(_ value: CELValue) throws(CELError) -> String {
        switch value {
        case .string(let text): return text
        case .int(let number): return String(number)
        case .uint(let number): return String(number)
        case .double(let number): return GoFormat.double(number)
        case .bool(let flag): return flag ? "true" : "false"
        case .bytes(let bytes):
            guard let text = String(validating: bytes, as: UTF8.self) else { throw CELError("invalid UTF-8 in bytes, cannot convert to string") }
            return text
        case .timestamp(let moment): return CELTime.text(moment)
        case .duration(let nanoseconds): return CELTime.text(nanoseconds: nanoseconds)
        case .ip(let address): return address.text
        case .cidr(let network): return network.text
        default: throw .noOverload
        }
    }

    private static func timestamp(_ value: CELValue) throws(CELError) -> CELValue {
        switch value {
        case .timestamp: return value
        case .int(let seconds): return .timestamp(Timestamp(seconds: seconds))
        case .string(let text):
            guard let moment = Timestamp(rfc3339: text) else {
                throw CELError("type conversion error from 'string' to 'google.protobuf.Timestamp'")
            }
            return .timestamp(moment)
        default: throw .noOverload
        }
    }
}
