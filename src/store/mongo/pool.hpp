// The driver's pool of connections, as a store needs it: without the driver's own retries, with
// bounds on what is waited for.
//
// Threads: any; a Held is of one.
#pragma once

#include "store/mongo/shared.hpp"

#include <memory>

#include <mongoc/mongoc.h>

namespace dyad::mongo {

struct MongoOptions;

class Pool {
  public:
    // `shared` hears where another server can be written to than before, on a thread of the
    // driver's; null: nobody does. Lifetime: `shared` is there for as long as the pool.
    // Errors: invalid_field.
    static Result<std::unique_ptr<Pool>> make(const MongoOptions& options, Shared* shared);

    // A connection, for as long as a thread has it.
    class Held {
      public:
        explicit Held(Pool& pool)
            : pool_(pool.clients_.get()), client_(mongoc_client_pool_pop(pool_)) {}
        ~Held() { mongoc_client_pool_push(pool_, client_); }
        Held(const Held&) = delete;
        Held& operator=(const Held&) = delete;
        mongoc_client_t* get() const noexcept { return client_; }

      private:
        mongoc_client_pool_t* pool_;
        mongoc_client_t* client_;
    };

  private:
    using Clients = std::unique_ptr<mongoc_client_pool_t, void (*)(mongoc_client_pool_t*)>;

    explicit Pool(Clients clients) : clients_(std::move(clients)) {}
    void tell(Shared& shared);

    Clients clients_;
};

}  // namespace dyad::mongo
