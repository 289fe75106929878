use crate::{
    kind::REDIS,
    port::free_port,
    program::Missing,
    redis::command,
    server::Server,
    wait::{DEADLINE, eventually},
};

const SLOTS: usize = 16_384;

/// Redis servers that share the slots of a cluster among them, without replicas.
pub struct RedisCluster {
    nodes: Vec<Server>,
}

impl RedisCluster {
    /// Starts so many primaries, and waits until each of them knows that the cluster serves.
    ///
    /// # Errors
    /// [`Missing`] when the program is not there.
    ///
    /// # Panics
    /// When they do not come together by [`DEADLINE`].
    pub fn start(primaries: usize) -> Result<Self, Missing> {
        let mut nodes = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..primaries {
            // Not the port that follows from the other: that may be taken or beyond the last.
            let bus = free_port();
            let more = ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000", "--cluster-port"];
            nodes.push(Server::start(&REDIS, &[&more[..], &[&bus.to_string()]].concat())?);
            buses.push(bus);
        }
        let cluster = Self { nodes };
        cluster.meet(&buses);
        Ok(cluster)
    }

    /// Where clients find the first node, which tells them of the others.
    pub fn url(&self) -> String {
        self.nodes[0].url()
    }

    /// The nodes.
    pub fn nodes(&mut self) -> &mut [Server] {
        &mut self.nodes
    }

    fn meet(&self, buses: &[u16]) {
        let count = self.nodes.len();
        for (number, node) in self.nodes.iter().enumerate() {
            let (first, last) = (SLOTS * number / count, SLOTS * (number + 1) / count - 1);
            ordered(node, &format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
            ordered(node, &format!("CLUSTER ADDSLOTSRANGE {first} {last}"));
            ordered(&self.nodes[0], &format!("CLUSTER MEET 127.0.0.1 {} {}", node.port(), buses[number]));
        }
        for node in &self.nodes {
            let known = format!("cluster_known_nodes:{count}\r\n");
            let serves = || {
                let info = command(node.port(), "CLUSTER INFO").ok()?;
                (info.contains("cluster_state:ok") && info.contains(&known)).then_some(())
            };
            assert!(eventually(serves).is_some(), "the cluster did not come together within {DEADLINE:?}");
        }
    }
}

fn ordered(node: &Server, order: &str) {
    let answer = command(node.port(), order).expect("a node that has answered answers");
    assert_eq!(answer, "+OK", "{order}");
}
