//! Many connections, each with a task that reads its datagrams.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use bench_protocol::Crowd;
use bytes::Bytes;
use quinn::Connecting;
use tokio::{
    runtime::Runtime,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

use crate::trust;

/// What tasks have to tell.
enum News {
    Connected(quinn::Connection),
    Message(usize, Bytes),
    Ended(anyhow::Error),
}

/// See the module.
pub(crate) struct Group {
    runtime: Runtime,
    endpoint: quinn::Endpoint,
    target: Option<SocketAddr>,
    connections: Vec<quinn::Connection>,
    news: UnboundedReceiver<News>,
    teller: UnboundedSender<News>,
}

impl Group {
    fn new(runtime: Runtime, endpoint: quinn::Endpoint, target: Option<SocketAddr>) -> Self {
        let (teller, news) = unbounded_channel();
        Self { runtime, endpoint, target, connections: Vec::new(), news, teller }
    }

    pub(crate) fn client(runtime: Runtime, endpoint: quinn::Endpoint, target: SocketAddr) -> Self {
        Self::new(runtime, endpoint, Some(target))
    }

    pub(crate) fn server(runtime: Runtime, endpoint: quinn::Endpoint) -> Self {
        let group = Self::new(runtime, endpoint, None);
        let (endpoint, teller) = (group.endpoint.clone(), group.teller.clone());
        group.runtime.spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                if let Ok(connecting) = incoming.accept() {
                    tokio::spawn(finish(connecting, teller.clone()));
                }
            }
        });
        group
    }

    fn on_news(&mut self, news: News, sink: &mut dyn FnMut(usize, &[u8])) -> anyhow::Result<()> {
        match news {
            News::Connected(connection) => {
                let (index, teller) = (self.connections.len(), self.teller.clone());
                self.connections.push(connection.clone());
                self.runtime.spawn(async move {
                    // An end of the program is an end of this, too.
                    while let Ok(message) = connection.read_datagram().await {
                        if teller.send(News::Message(index, message)).is_err() {
                            break;
                        }
                    }
                });
                Ok(())
            }
            News::Message(index, message) => {
                sink(index, &message);
                Ok(())
            }
            News::Ended(error) => Err(error),
        }
    }
}

async fn finish(connecting: Connecting, teller: UnboundedSender<News>) {
    let news = match connecting.await {
        Ok(connection) => News::Connected(connection),
        Err(error) => News::Ended(error.into()),
    };
    // Nobody listens any more only at the end of the program.
    let _unheard = teller.send(news);
}

impl Crowd for Group {
    fn open(&mut self) -> anyhow::Result<()> {
        let target = self.target.context("a server opens no connections")?;
        let _inside = self.runtime.enter();
        let connecting = self.endpoint.connect(target, trust::SERVER_NAME)?;
        self.runtime.spawn(finish(connecting, self.teller.clone()));
        Ok(())
    }

    fn connected(&self) -> usize {
        self.connections.len()
    }

    fn turn(&mut self, limit: Duration, sink: &mut dyn FnMut(usize, &[u8])) -> anyhow::Result<()> {
        let first = async { timeout(limit, self.news.recv()).await };
        let Ok(first) = self.runtime.block_on(first) else {
            return Ok(());
        };
        let mut next = first;
        while let Some(news) = next {
            self.on_news(news, sink)?;
            next = self.news.try_recv().ok();
        }
        Ok(())
    }

    fn send(&mut self, connection: usize, message: Bytes) -> anyhow::Result<()> {
        Ok(self.connections[connection].send_datagram(message)?)
    }
}
