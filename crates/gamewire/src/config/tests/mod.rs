mod scopes;
mod table;
mod values;
