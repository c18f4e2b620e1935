//! What the congestion control promises, on simulated paths and over many seeds.

use std::time::Duration;

use gamewire_proto::lane::LaneConfig;
use gamewire_sim::{
    host::{Plan, Traffic},
    lab::{Flow, Lab, Law},
    rng::PerMillion,
};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
const fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn bulk() -> Flow {
    let plan = Plan { traffic: vec![Traffic::reliable(1_000_000, 16_384)], ..Plan::default() };
    Flow { plan, ..Flow::default() }
}

#[test]
fn probe_alone() {
    for (rate, rtt, queue, loss) in [
        (2_500_000u64, 50u64, 1.0, 0u32),
        (2_500_000, 50, 1.0, 2),
        (2_500_000, 50, 0.1, 0),
        (2_500_000, 10, 4.0, 2),
        (12_500_000, 50, 1.0, 0),
        (250_000, 50, 1.0, 2),
        (2_500_000, 200, 1.0, 0),
    ] {
        let lab = Lab::new(1, rate, ms(rtt), queue).with_loss(PerMillion::percent(loss)).with_flow(bulk()).lasting(secs(10));
        let report = lab.run();
        let flow = &report.flows[0];
        println!("== {rate} {rtt}ms q{queue} loss{loss}: {:.3} of link in 1..10s; {:?} end {:?}", flow.rate(secs(1), secs(10)) / rate as f64, flow.link, flow.end);
        if std::env::var("TRACE").is_ok() {
            for (i, (b, bytes)) in flow.beliefs.iter().zip(&flow.received).enumerate().take(60) {
                println!("{:.1}s {:9} got {:8} bw {:9} min {:?} loss {} win {:?} flight {}", i as f64 / 10.0, b.0.state.unwrap().name(), bytes * 10, b.0.bandwidth.unwrap_or(0), b.0.min_rtt, b.0.usual_loss_ppm, b.1, b.2);
            }
        }
    }
}

#[test]
fn probe_tcp() {
    for law in [Law::Reno, Law::Cubic] {
        if std::env::var("LAW").is_ok_and(|l| l != format!("{law:?}")) { continue; }
        let qs: Vec<f64> = std::env::var("Q").map_or(vec![0.25, 0.5, 1.0, 2.0, 4.0], |q| vec![q.parse().unwrap()]);
        for queue in qs {
            for (start, tstart) in if std::env::var("TRACE").is_ok() { vec![(0, 0)] } else { vec![(0, 0), (0, 3), (3, 0)] } {
                let flow = Flow { start: secs(start), ..bulk() };
                let lab = Lab::new(1, 2_500_000, ms(50), queue).with_flow(flow).with_tcp(secs(tstart), law).lasting(secs(40));
                let report = lab.run();
                let (a, b) = (report.flows[0].rate(secs(10), secs(40)), report.tcp_rate(0, secs(10), secs(40)));
                println!("== {law:?} q{queue} start {start}/{tstart}: ours {:.2} total {:.2}", a / (a + b), (a + b) / 2_500_000.0);
                if std::env::var("TRACE").is_ok() {
                    for (i, (bel, bytes)) in report.flows[0].beliefs.iter().zip(&report.flows[0].received).enumerate().step_by(5) {
                        println!("{:.1}s {:9} got {:8} tcp {:8} bw {:9} min {:?} loss {} win {:?} flight {}", i as f64 / 10.0, bel.0.state.unwrap().name(), bytes * 10, report.tcp[0][i] * 10, bel.0.bandwidth.unwrap_or(0), bel.0.min_rtt, bel.0.usual_loss_ppm, bel.1, bel.2);
                    }
                }
            }
        }
    }
}

#[test]
fn probe_urgent() {
    for (rate, rtt) in [(2_500_000u64, 50u64), (12_500_000, 50), (2_500_000, 20), (2_500_000, 100), (1_250_000, 10), (250_000, 50)] {
        let urgent = Traffic { no_nagle: true, burst: 1, every: ms(16), start: ms(100), ..Traffic::reliable(600, 100).on_lane(1) };
        let mut flow = bulk();
        flow.plan.traffic.push(urgent);
        flow.lanes = vec![LaneConfig { priority: 1, ..LaneConfig::default() }, LaneConfig { priority: 0, ..LaneConfig::default() }];
        let report = Lab::new(1, rate, ms(rtt), 4.0).with_flow(flow).lasting(secs(11)).run();
        let flow = &report.flows[0];
        if std::env::var("TRACEU").is_ok_and(|t| t == format!("{rate}/{rtt}")) {
            for (i, (bel, bytes)) in flow.beliefs.iter().zip(&flow.received).enumerate().take(40) {
                println!("{:.1}s {:9} got {:8} bw {:9} min {:?} loss {} win {:?} flight {}", i as f64 / 10.0, bel.0.state.unwrap().name(), bytes * 10, bel.0.bandwidth.unwrap_or(0), bel.0.min_rtt, bel.0.usual_loss_ppm, bel.1, bel.2);
            }
            println!("{:?}", flow.delays_us[&1].iter().map(|d| d / 1000).collect::<Vec<_>>());
        }
        println!("== urgent {rate} {rtt}: p50 {:?} p99 {:?} max {:?} (limit {}) bulk {:.3}", flow.delay(1, 50.0), flow.delay(1, 99.0), flow.delay(1, 100.0), rtt + 10, flow.rate(secs(1), secs(10)) / rate as f64);
    }
}

#[test]
fn probe_repeats() {
    let chat = Traffic { burst: 1, every: Duration::from_micros(16_667), ..Traffic::reliable(1200, 100) };
    let flow = Flow { plan: Plan { traffic: vec![chat], ..Plan::default() }, ..Flow::default() };
    let report = Lab::new(1, 2_500_000, ms(50), 1.0).with_loss(PerMillion::percent(2)).with_flow(flow).lasting(secs(22)).run();
    let flow = &report.flows[0];
    println!("== repeats: p50 {:?} p99 {:?} max {:?}", flow.delay(0, 50.0), flow.delay(0, 99.0), flow.delay(0, 100.0));
}

#[test]
fn probe_startup() {
    for (rate, rtt, loss, features) in [(12_500_000u64, 50u64, 0u32, 0u64), (12_500_000, 50, 2, 0), (12_500_000, 100, 0, 0), (12_500_000, 50, 0, 7)] {
        let flow = Flow { features, ..bulk() };
        let report = Lab::new(1, rate, ms(rtt), 1.0).with_loss(PerMillion::percent(loss)).with_flow(flow).lasting(secs(3)).run();
        let flow = &report.flows[0];
        let rates: Vec<_> = flow.received.iter().map(|b| (*b * 1000 / rate) as f64 / 100.0).collect();
        println!("== startup {rate} {rtt} {loss}: {rates:?}");
        let states: Vec<_> = flow.beliefs.iter().map(|b| b.0.state.unwrap().name()).collect();
        println!("{states:?}");
    }
}

#[test]
fn probe_window() {
    for (rate, rtt, loss) in [(12_500_000u64, 50u64, 2u32), (12_500_000, 100, 0), (12_500_000, 100, 2), (2_500_000, 50, 2), (125_000_000, 20, 0), (125_000_000, 20, 1)] {
        for queue in [1.0, 0.3] {
        let mut flow = Flow { features: 7, ..bulk() };
        flow.config.receive.window_bytes = Some(4 << 20);
        if rate > 100_000_000 { flow.config.send.buffer_bytes = 4 << 20; flow.config.receive.window_bytes = Some(16 << 20); }
        let report = Lab::new(1, rate, ms(rtt), queue).with_loss(PerMillion::percent(loss)).with_flow(flow).lasting(secs(if rate > 100_000_000 { 2 } else { 4 })).run();
        let flow = &report.flows[0];
        let rates: Vec<_> = flow.received.iter().map(|b| (*b * 1000 / rate) as f64 / 100.0).collect();
        println!("== window {rate} {rtt} {loss} q{queue}: {:.3} {rates:?} {:?}", flow.rate(secs(1), secs(4)) / rate as f64, flow.link);
        let states: Vec<_> = flow.beliefs.iter().map(|b| b.0.state.unwrap().name()).collect();
        println!("{states:?}");
        }
    }
}

#[test]
fn probe_slow_reader() {
    use gamewire_sim::host::Consumption;
    for features in [0, 7] {
        let mut flow = Flow { features, ..bulk() };
        flow.plan.traffic[0].count = 600;
        flow.config.receive.window_bytes = Some(1 << 20);
        flow.receiver.consumption = Consumption::Slow { messages: 6, every: ms(100) };
        let report = Lab::new(1, 2_500_000, ms(50), 1.0).with_flow(flow).lasting(secs(12)).run();
        let flow = &report.flows[0];
        let total: u64 = flow.received.iter().sum();
        println!("== slow {features}: got {total} in {} packets {:?}", flow.link.sent, flow.end);
        let states: Vec<_> = flow.beliefs.iter().map(|b| (b.0.state.unwrap().name(), b.0.usual_loss_ppm)).collect();
        println!("{states:?}");
    }
}
