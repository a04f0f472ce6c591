// A server that speaks the MongoDB protocol, as a process of its own with a folder of its own, on a
// free port of the loopback interface. It dies with the test, whatever becomes of that.
//
// Which program: $DYAD_SECANTUSD, or .venv-mongo/bin/secantusd-py of the sources (./x setup-tests).
// Threads: one at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace dyad::test {

class MongoServer {
  public:
    // A replica set of one; with "--standalone" no replica set. It takes writes when this returns.
    // Null: the program is not installed, which missing() says. One that does not start is an
    // exception.
    static std::unique_ptr<MongoServer> start(std::vector<std::string> arguments = {});
    static std::string missing();  // why tests are skipped; empty where there is a server

    ~MongoServer();
    MongoServer(const MongoServer&) = delete;
    MongoServer& operator=(const MongoServer&) = delete;

    int port() const noexcept { return port_; }
    std::string url() const { return "mongodb://127.0.0.1:" + std::to_string(port_) + "/"; }
    const std::string& folder() const noexcept { return folder_; }

    void kill();              // SIGKILL; the folder stays
    void stop();              // SIGTERM, and waits; the folder stays
    void restart();           // on the same port and folder; stops it first where it runs
    void signal(int number);  // SIGSTOP, SIGCONT
    bool running() const noexcept { return pid_ > 0; }

  private:
    explicit MongoServer(std::vector<std::string> arguments);
    void run();
    void wait_until_it_answers();
    void end(int signal_number);
    [[noreturn]] void fail_to_start(const std::string& why);

    std::vector<std::string> arguments_;
    std::string folder_;
    int port_ = 0;
    pid_t pid_ = 0;
};

}  // namespace dyad::test
