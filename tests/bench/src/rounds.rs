/// What two sides measured, in turn.
#[derive(Debug, Default)]
pub struct Rounds {
    slight: Vec<f64>,
    peer: Vec<f64>,
}

impl Rounds {
    /// Adds one round of both.
    pub fn add(&mut self, slight: f64, peer: f64) {
        self.slight.push(slight);
        self.peer.push(peer);
    }

    /// Prints both medians with their spread, and the median of the ratios round by round.
    pub fn print(&self, case: &str, unit: &str, peer: &str) {
        let ratios: Vec<f64> = self.slight.iter().zip(&self.peer).map(|(slight, peer)| slight / peer).collect();
        println!("{case}, {unit}, {} rounds in turn", self.slight.len());
        for (name, figures) in [("slight", &self.slight), (peer, &self.peer), ("slight / peer", &ratios)] {
            let (min, median, max) = spread(figures);
            println!("  {name:14} median {median:10.2}   min {min:10.2}   max {max:10.2}");
        }
    }
}

fn spread(figures: &[f64]) -> (f64, f64, f64) {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    (at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)))
}
