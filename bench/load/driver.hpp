// A neutral load for WebSocket servers: one thread, epoll, and no opinion about envelopes.
//
// Rooms with clients that listen and one that writes; a message is complete once every client of
// its room has it. Lost and reordered deliveries are counted.
#pragma once

#include "load/dialect.hpp"
#include "load/measures.hpp"
#include "load/options.hpp"
#include "load/scanner.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dyad::bench {

struct Client {
    enum class Phase : std::uint8_t { connecting, upgrading, greeting, ready };

    int fd = -1;
    std::uint32_t room = 0;
    bool writer = false;
    bool stalled = false;
    Phase phase = Phase::connecting;
    Deframer deframer;
    MarkerScanner scanner;
    std::int64_t last = -1;  // number of the last message
    std::string heard;       // before it is ready
    std::string output;      // not taken by the socket yet
};

// What is counted from the beginning.
struct Counts {
    std::uint64_t sent = 0;
    std::uint64_t completed = 0;
    std::uint64_t deliveries = 0;
    std::uint64_t out_of_order = 0;
    std::uint64_t frames = 0;
    std::uint64_t reads = 0;
};

class Driver {
  public:
    explicit Driver(const Options& options);

    // Connects everybody. Ends the process where that takes longer than two minutes.
    void connect_all();
    // Serves the sockets once, waiting at most so long.
    void pump(std::int64_t wait_ns);
    void pump_for(double seconds);

    // As many messages as the window has room for, or as are due. True: some were written.
    bool write_due();
    void stop_writing() { writing_ = false; }
    // Until the next message is due, or a while where only a delivery makes one due.
    std::int64_t wait_ns() const;

    void measure(bool on) { measuring_ = on; }
    bool all_complete() const { return counts_.completed >= counts_.sent; }
    const Counts& counts() const { return counts_; }
    const Histogram& latencies() const { return latencies_; }
    std::size_t client_count() const { return clients_.size(); }
    // Messages that did not reach everybody.
    std::int64_t missing_deliveries() const;

  private:
    void start(std::size_t index);
    void opened(Client& client);
    void read(Client& client);
    void advance(Client& client);
    void take(Client& client, std::string_view bytes);
    void deliver(Client& client, Marker marker);
    void write_one();
    void flush(Client& client);
    void watch(Client& client, std::uint32_t events, int operation);
    std::size_t listeners() const;

    const Options& options_;
    Dialect dialect_;
    int epoll_;
    std::vector<Client> clients_;         // listeners room by room, then writers, then stalled ones
    std::vector<std::uint32_t> reached_;  // clients that have a message, by its number
    std::string input_;
    Counts counts_;
    Histogram latencies_;
    std::size_t ready_ = 0;
    bool measuring_ = false;
    bool writing_ = true;
    std::uint64_t next_due_ns_ = 0;
    std::uint64_t received_ns_ = 0;
};

}  // namespace dyad::bench
