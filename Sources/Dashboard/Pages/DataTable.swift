/// A table with a caption and headings for rows and columns. It scrolls by itself on a narrow screen.
struct DataTable {
    struct Column {
        let title: String
        var isNumber = false

        static func text(_ title: String) -> Column { Column(title: title) }
        static func number(_ title: String) -> Column { Column(title: title, isNumber: true) }
    }

    let caption: String
    let columns: [Column]
    /// The first cell of a row is its heading.
    let rows: [[HTML]]
    var classes: [CSSClass] = []
    /// The text shown instead of a table without rows.
    var whenEmpty = "Nothing here yet."

    var html: HTML {
        guard !rows.isEmpty else { return tag("p", .classes("empty"), text: whenEmpty) }
        return tag("div", .classes("scroll"), .fixed("role", "region"), .fixed("tabindex", "0"), .label(caption)) {
            HTML.element(
                "table", classes.isEmpty ? [] : [.classes(classes)],
                [
                    tag("caption", .classes("unseen"), text: caption),
                    tag("thead") {
                        tag("tr") {
                            for column in columns {
                                HTML.element("th", [.fixed("scope", "col")] + (column.isNumber ? [.classes("num")] : []), [.text(column.title)])
                            }
                        }
                    },
                    tag("tbody") { for row in rows { self.row(row) } },
                ])
        }
    }

    private func row(_ cells: [HTML]) -> HTML {
        tag("tr") {
            for (column, cell) in zip(columns, cells) {
                if column.isNumber {
                    tag("td", .classes("num")) { cell }
                } else {
                    tag("td") { cell }
                }
            }
        }
    }
}
