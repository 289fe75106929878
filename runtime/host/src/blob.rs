//! stub
pub struct OutgoingValue; pub struct IncomingValue; pub struct Container; pub struct ObjectNames;
