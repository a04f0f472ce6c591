// wsload: loads a WebSocket server and prints what came of it as one line of JSON.
//
//     wsload --port P --mode plain|nats|dyad|acked --pid SERVER [--subs N] [--rooms N]
//            [--window N | --rate N] [--secs S | --count N] [--warm S] [--stalled N]
//            [--idle S | --hold 1]
#include "load/driver.hpp"

#include <csignal>
#include <cstdio>

namespace dyad::bench {
namespace {

volatile std::sig_atomic_t stop_asked = 0;

struct Sample {
    double time_s = now_s();
    double server_cpu_s = 0;
    double own_cpu_s = own_cpu_seconds();
    double machine_cpu_s = machine_cpu_seconds();
    Counts counts;
};

Sample sample(const Driver& driver, int pid) {
    Sample taken;
    taken.server_cpu_s = cpu_seconds(pid);
    taken.counts = driver.counts();
    return taken;
}

// Silent connections: what they cost to open and to keep.
void measure_idle(Driver& driver, const Options& options) {
    const long before_kib = resident_kib(options.pid);
    const double begin = now_s();
    const double before_cpu_s = cpu_seconds(options.pid);
    driver.connect_all();
    const double connected_s = now_s() - begin;
    driver.pump_for(options.settle_seconds);
    const double setup_cpu_s = cpu_seconds(options.pid) - before_cpu_s;
    driver.pump_for(options.idle_seconds);
    const double idle_cpu_s = cpu_seconds(options.pid) - before_cpu_s - setup_cpu_s;
    const long after_kib = resident_kib(options.pid);
    std::printf(
        "{\"label\":\"%s\",\"kind\":\"idle\",\"N\":%zu,\"setup_s\":%.2f,\"rss0_kb\":%ld,"
        "\"rss_idle_kb\":%ld,\"per_conn_b\":%.1f,\"setup_cpu_s\":%.4f,"
        "\"idle_cpu_s\":%.4f}\n",
        options.label.c_str(), driver.client_count(), connected_s, before_kib, after_kib,
        static_cast<double>(after_kib - before_kib) * 1024 /
            static_cast<double>(driver.client_count()),
        setup_cpu_s, idle_cpu_s);
}

void hold(Driver& driver) {
    driver.connect_all();
    std::puts("ready");
    std::fflush(stdout);
    while (stop_asked == 0)
        driver.pump_for(0.1);
}

void print(const Driver& driver, const Options& options, const Sample& from, const Sample& to,
           long resident) {
    const double wall = to.time_s - from.time_s;
    const double server = to.server_cpu_s - from.server_cpu_s;
    const double own = to.own_cpu_s - from.own_cpu_s;
    const double machine = to.machine_cpu_s - from.machine_cpu_s;
    const auto deliveries = static_cast<double>(to.counts.deliveries - from.counts.deliveries);
    const auto reads = static_cast<double>(to.counts.reads - from.counts.reads);
    const Histogram& h = driver.latencies();
    std::printf(
        "{\"label\":\"%s\",\"kind\":\"%s\",\"wall\":%.4f,\"msgs\":%lu,\"deliv\":%.0f,"
        "\"dps\":%.1f,\"srv_cpu\":%.4f,\"srv_util\":%.4f,\"d_per_cpu\":%.1f,"
        "\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f,"
        "\"drv_util\":%.4f,\"other\":%.4f,\"d_per_recv\":%.2f,\"lost\":%ld,"
        "\"order_err\":%lu,\"rss_load_kb\":%ld}\n",
        options.label.c_str(), options.rate > 0 ? "rate" : "window", wall,
        to.counts.sent - from.counts.sent, deliveries, deliveries / wall, server, server / wall,
        server > 0 ? deliveries / server : 0, h.quantile_us(0.5), h.quantile_us(0.9),
        h.quantile_us(0.99), h.quantile_us(0.999), h.max_us(), own / wall,
        (machine - own - server) / wall, reads > 0 ? deliveries / reads : 0,
        driver.missing_deliveries(), driver.counts().out_of_order, resident);
}

void measure_load(Driver& driver, const Options& options) {
    constexpr double kFinishSeconds = 5;
    driver.connect_all();
    driver.pump_for(options.settle_seconds);
    const double begin = now_s() + (options.count > 0 ? 0 : options.warm_seconds);
    const double end =
        options.count > 0 ? begin + options.seconds + kFinishSeconds : begin + options.seconds;
    const auto over = [&] {
        return now_s() >= end || (options.count > 0 && driver.counts().completed >= options.count);
    };
    const auto turn = [&] {
        driver.write_due();
        driver.pump(driver.wait_ns());
    };
    while (now_s() < begin)
        turn();
    driver.measure(true);
    const Sample from = sample(driver, options.pid);
    while (!over())
        turn();
    driver.measure(false);
    const Sample to = sample(driver, options.pid);
    const long resident = resident_kib(options.pid);
    driver.stop_writing();
    while (!driver.all_complete() && now_s() < end + kFinishSeconds)
        turn();
    print(driver, options, from, to, resident);
}

}  // namespace
}  // namespace dyad::bench

int main(int count, char** words) {
    using namespace dyad::bench;
    const Options options = parse_options(count, words);
    std::signal(SIGTERM, [](int) { stop_asked = 1; });
    Driver driver(options);
    if (options.hold)
        hold(driver);
    else if (options.idle_seconds > 0)
        measure_idle(driver, options);
    else
        measure_load(driver, options);
    return 0;
}
