//! Tables as people read them in a terminal.

/// A line for the head and one for each row, with columns as wide as their widest cell, and an empty line below. A column
/// that is empty in all rows is left out; without rows there is nothing.
pub fn table<const COLUMNS: usize>(head: [&str; COLUMNS], rows: &[[String; COLUMNS]]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut lines = vec![String::new(); rows.len() + 1];
    for (column, title) in head.into_iter().enumerate() {
        let cells: Vec<String> = rows.iter().filter_map(|row| row.get(column)).map(|cell| printable(cell)).collect();
        if cells.iter().all(String::is_empty) {
            continue;
        }
        let cells: Vec<String> = std::iter::once(title.to_owned()).chain(cells).collect();
        let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or_default();
        lines.iter_mut().zip(&cells).for_each(|(line, cell)| line.push_str(&format!("{cell:width$}  ")));
    }
    lines.push(String::new());
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A name from a file may hold control characters, which would move the cursor.
fn printable(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<const COLUMNS: usize>(cells: [&str; COLUMNS]) -> [String; COLUMNS] {
        cells.map(str::to_owned)
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let shown = table(["a", "long title"], &[row(["longer", "1"]), row(["ä", "2"])]);
        assert_eq!(shown, "a       long title\nlonger  1\nä       2\n\n");
    }

    #[test]
    fn a_column_with_nothing_in_it_is_left_out() {
        assert_eq!(table(["a", "b", "c"], &[row(["1", "", "2"])]), "a  c\n1  2\n\n");
        assert_eq!(table(["a"], &[]), "");
    }

    #[test]
    fn a_control_character_stays_in_its_cell() {
        assert_eq!(table(["a"], &[row(["x\ny\u{1b}[2J"])]), "a\nx\\ny\\u{1b}[2J\n\n");
    }
}
