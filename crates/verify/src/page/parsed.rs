//! Pages that were parsed last, kept by each thread: a journey asks one page a dozen questions, and parsing it is what
//! costs.

use scraper::Html;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// How many are kept.
const KEPT: usize = 3;

thread_local! {
    static LAST: RefCell<VecDeque<(String, Rc<Html>)>> = const { RefCell::new(VecDeque::new()) };
}

/// The document of a body.
pub(crate) fn document(body: &str) -> Rc<Html> {
    LAST.with_borrow_mut(|last| {
        if let Some((_, document)) = last.iter().find(|(known, _)| known == body) {
            return document.clone();
        }
        let document = Rc::new(Html::parse_document(body));
        last.truncate(KEPT - 1);
        last.push_front((body.to_owned(), document.clone()));
        document
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_parsed_once_as_long_as_it_is_among_the_last() {
        let first = document("<p>one");
        assert!(Rc::ptr_eq(&first, &document("<p>one")));
        for number in 0..KEPT {
            document(&format!("<p>{number}"));
        }
        let again = document("<p>one");
        assert!(!Rc::ptr_eq(&first, &again));
        assert_eq!(first.html(), again.html());
    }
}
