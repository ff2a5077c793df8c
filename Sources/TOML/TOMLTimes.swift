/// Dates and times in the four forms of TOML 1.0.
enum TOMLTimes {
    static func dateTime(_ word: [UInt8]) throws(TOMLScalars.Problem) -> TOMLDateTime {
        let problem = TOMLScalars.Problem(message: "\"\(String(decoding: word.prefix(40), as: UTF8.self))\" is not a date or time")
        var reader = Reader(bytes: word[...])
        var result = TOMLDateTime()
        if TOMLScalars.looksLikeDate(word.prefix(10)) {
            guard let day = reader.day() else { throw problem }
            result.day = day
            if reader.bytes.isEmpty { return result }
            guard reader.take(" ") || reader.take("T") || reader.take("t") else { throw problem }
        }
        guard let time = reader.time() else { throw problem }
        result.time = time
        if result.day != nil, !reader.bytes.isEmpty {
            guard let offset = reader.offset() else { throw problem }
            result.offsetMinutes = offset
        }
        guard reader.bytes.isEmpty else { throw problem }
        return result
    }

    private struct Reader {
        var bytes: ArraySlice<UInt8>

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard bytes.first == UInt8(ascii: character) else { return false }
            bytes = bytes.dropFirst()
            return true
        }

        /// A number of exactly this many digits, within bounds.
        mutating func number(_ count: Int, in bounds: ClosedRange<Int>) -> Int? {
            let digits = bytes.prefix(count)
            guard digits.count == count, digits.allSatisfy(TOMLScalars.isDigit) else { return nil }
            bytes = bytes.dropFirst(count)
            let number = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            return bounds.contains(number) ? number : nil
        }

        mutating func day() -> TOMLDateTime.Day? {
            guard let year = number(4, in: 0...9999), take("-"), let month = number(2, in: 1...12), take("-"),
                let day = number(2, in: 1...31)
            else { return nil }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            return day <= lengths[month - 1] ? TOMLDateTime.Day(year: year, month: month, day: day) : nil
        }

        mutating func time() -> TOMLDateTime.Time? {
            guard let hour = number(2, in: 0...23), take(":"), let minute = number(2, in: 0...59), take(":"),
                let second = number(2, in: 0...60)
            else { return nil }
            var nanosecond = 0
            if take(".") {
                let digits = bytes.prefix(while: TOMLScalars.isDigit)
                guard !digits.isEmpty else { return nil }
                bytes = bytes.dropFirst(digits.count)
                let nine = digits.prefix(9)
                nanosecond = nine.reduce(0) { $0 * 10 + Int($1 - 0x30) }
                for _ in nine.count..<9 { nanosecond *= 10 }
            }
            return TOMLDateTime.Time(hour: hour, minute: minute, second: second, nanosecond: nanosecond)
        }

        mutating func offset() -> Int? {
            if take("Z") || take("z") { return 0 }
            let isWest = bytes.first == UInt8(ascii: "-")
            guard take("+") || take("-"), let hours = number(2, in: 0...23), take(":"), let minutes = number(2, in: 0...59)
            else { return nil }
            return (hours * 60 + minutes) * (isWest ? -1 : 1)
        }
    }
}
