//! stub
pub struct Client; pub struct Message; pub struct RequestOptions;
#[derive(Default)] pub(crate) struct Inboxes;
